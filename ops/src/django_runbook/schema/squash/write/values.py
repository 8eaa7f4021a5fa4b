"""Values of migrations as plain ones, equal where they mean the same.

Functions and classes of migrations stand in other modules after a squash, maybe under other names:
they are what they do. All others are named by where they are imported from.
"""

import dis
import enum
import functools
import hashlib
import inspect
from collections.abc import Iterator, Sequence
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from django.db.migrations import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.serializer import serializer_factory
from django.db.models import Field
from django.db.models.manager import BaseManager
from django.utils.functional import Promise

#: The functions and classes that are being looked at: those that name themselves end there.
Above = tuple[Any, ...]
CALLABLES = (type, FunctionType, MethodType, BuiltinFunctionType)
#: Flags of code that say how it is called; what ``from __future__`` adds is left out.
FLAGS = 0x3FF
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def plain(value: Any, above: Above = ()) -> Any:  # noqa: C901, PLR0911  # a table of kinds
    """Return a value as lists, strings and numbers, which compare and print the same again."""
    match value:
        case enum.Enum() if _is_moved(type(value)):
            return ("member", value.name, plain(value.value, above))
        case str() | Promise():
            return str(value)
        case dict():
            items = [(repr(plain(key, above)), plain(one, above)) for key, one in value.items()]
            return ("dict", sorted(items, key=lambda item: item[0]))
        case set() | frozenset():
            return ("set", sorted(repr(plain(one, above)) for one in value))
        case list() | tuple():
            return [plain(one, above) for one in value]
        case functools.partial():
            return ("partial", plain([value.func, value.args, value.keywords], above))
        case staticmethod() | classmethod():
            return plain(value.__func__, above)
        case property():
            return ("property", plain([value.fget, value.fset, value.fdel], above))
        case _ if isinstance(value, CALLABLES):
            return _code(value, above)
        case Operation():
            return _operation(value, above)
        case ModuleType():
            return ("module", value.__name__)
        case _:
            return _deconstructed(value, above)


def _operation(operation: Operation, above: Above) -> Any:
    """Return an operation by its arguments; ``elidable`` too, which ``deconstruct`` leaves out."""
    if type(operation).__module__.startswith("django."):
        _, args, kwargs = operation.deconstruct()
    else:
        args, kwargs = vars(operation)["_constructor_args"]  # set by Django's __new__
    parameters = inspect.signature(type(operation).__init__).parameters.values()
    names = [one.name for one in parameters if one.kind in POSITIONAL][1:]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    rest = [*args][len(names) :]
    given["elidable"] = operation.elidable
    return ("operation", plain(type(operation), above), plain(rest, above), plain(given, above))


def _deconstructed(value: Any, above: Above) -> Any:
    """Return what deconstructs itself by its parts, all else as Django serializes it."""
    cls = type(value)
    if isinstance(value, Field):
        return ("field", *_made(cls, value.deconstruct()[1:], above))
    if isinstance(value, BaseManager):
        as_manager, path, queryset, *rest = value.deconstruct()
        made = getattr(value, "_queryset_class", cls) if as_manager else cls
        return ("manager", *_made(made, (path or queryset, *rest), above))
    if hasattr(value, "deconstruct"):
        return ("made", *_made(cls, value.deconstruct(), above))
    if hasattr(value, "__wrapped__"):
        return ("wrapper", cls.__name__, plain(value.__wrapped__, above))
    try:
        return serializer_factory(value).serialize()[0]
    except ValueError:
        return _instance(value, above)


def _instance(value: Any, above: Above) -> Any:
    """Return an object that cannot be serialized: its class, and what it holds if that is ours."""
    cls = type(value)
    if not _is_moved(cls) or any(value is one for one in above):
        return ("object", plain(cls, above))
    held = dict(getattr(value, "__dict__", {}))
    return ("object", plain(cls, above), plain(held, (*above, value)))


def _made(cls: type, parts: Sequence[Any], above: Above) -> tuple[Any, Any]:
    """Return what was deconstructed: its path, or what the class does, and its arguments."""
    path, *arguments = parts
    return _code(cls, above) if _is_moved(cls) else path, plain(arguments, above)


def _is_moved(thing: Any) -> bool:
    """Tell whether a function or a class stands in a module of migrations."""
    migration = getattr(inspect.getmodule(thing), "Migration", None)
    return isinstance(migration, type) and issubclass(migration, Migration)


def _code(thing: Any, above: Above) -> Any:
    if isinstance(thing, MethodType):
        return ("method", plain(thing.__self__, above), thing.__name__)
    if not _is_moved(thing):
        return ("name", f"{thing.__module__}.{thing.__qualname__}")
    for distance, one in enumerate(reversed(above)):
        if one is thing:
            return ("above", distance)
    inside = (*above, thing)
    if isinstance(thing, FunctionType):
        return _digest("function", [*_function(thing, inside)])
    if issubclass(thing, enum.Enum):
        return _digest("enum", [(one.name, plain(one.value, inside)) for one in thing])
    bases = [one for one in thing.__bases__ if one is not object]
    parts = {name: one for name, one in vars(thing).items() if _counts(name)}
    return _digest("class", [plain(bases, inside), plain(parts, inside)])


def _counts(name: str) -> bool:
    made = ("__module__", "__qualname__", "__dict__", "__weakref__", "__doc__", "__firstlineno__")
    return name not in made


def _function(function: FunctionType, above: Above) -> Iterator[Any]:
    """Yield what a function does: its instructions, and the values of the names that it uses."""
    yield from _instructions(function.__code__, function, above)
    yield plain([function.__defaults__, function.__kwdefaults__ or {}], above)
    yield [plain(cell.cell_contents, above) for cell in function.__closure__ or ()]
    yield plain(vars(function), above)


def _instructions(code: CodeType, function: FunctionType, above: Above) -> Iterator[Any]:
    yield (code.co_argcount, code.co_kwonlyargcount, code.co_flags & FLAGS, code.co_varnames)
    for one in dis.get_instructions(code):
        value = one.argval
        if isinstance(value, CodeType):
            yield [*_instructions(value, function, above)]
        elif one.opname in ("LOAD_GLOBAL", "LOAD_NAME") and value in function.__globals__:
            yield ("global", plain(function.__globals__[value], above))
        elif one.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield (one.opname,)
        elif isinstance(value, str) and "<locals>" in value:
            yield (one.opname, value.partition("<locals>")[2])
        else:
            yield (one.opname, repr(value))


def _digest(kind: str, parts: Any) -> str:
    return f"{kind} {hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"
