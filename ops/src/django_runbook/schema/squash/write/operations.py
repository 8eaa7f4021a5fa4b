"""Operations: which are the author's own, how they are merged, and how they are written."""

import copy
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any, ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.serializer import (
    FUNCTION_TYPES,
    FunctionTypeSerializer,
)
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter, OperationWriter

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.source import imports
from django_runbook.schema.squash.source.copying import Copier
from django_runbook.schema.squash.source.module import Source
from django_runbook.schema.squash.write.roundtrip import state_differences

#: What the author has written out: copied as it stands, never merged with another.
WRITTEN = (migrations.RunPython, migrations.RunSQL, migrations.SeparateDatabaseAndState)
STRING = r"""[bB]?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""


class Fixed(Operation):
    """Keeps an operation from the optimizer, which would drop or replace it.

    Django's optimizer makes plain operations of an app's own subclasses, without their arguments,
    and leaves out what is ``elidable`` unasked.
    """

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    def reduce(self, _operation: Operation, _app_label: str) -> bool:
        """Say that nothing can be moved past it."""
        return False


def is_written(operation: Operation) -> bool:
    """Tell whether an operation is code of the author's, or of a class that is not Django's."""
    own = not type(operation).__module__.startswith("django.")
    return own or isinstance(operation, WRITTEN)


def optimized(
    app_label: str, operations: Sequence[Operation], state: ProjectState
) -> list[Operation]:
    """Return the operations merged by Django's optimizer, where the state stays the same.

    ``state`` is the one before them; it is not changed. Where the optimizer's result leads to
    another state than the operations, they are returned as they are.
    """
    fixed = [Fixed(one) if is_written(one) else one for one in operations]
    merged = MigrationOptimizer().optimize(fixed, app_label)
    result = [one.operation if isinstance(one, Fixed) else one for one in merged]
    ends = []
    for one in (operations, result):
        after = state.clone()
        for operation in one:
            operation.state_forwards(app_label, after)
        ends.append(after)
    return list(operations) if state_differences(*ends) else result


class Call:
    """A call of an app's own operation, with the arguments that it was made with.

    ``OperationWriter`` loses arguments that can be given by keyword alone, and ``deconstruct`` what
    it does not know; Django keeps all in ``_constructor_args``.
    """

    serialization_expand_args: ClassVar[list[str]] = []

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """Return the class and its arguments."""
        cls = type(self._operation)
        args, kwargs = vars(self._operation)["_constructor_args"]  # set by Django's __new__
        path = f"{cls.__module__}.{cls.__qualname__}"
        values = {name: prepared(value) for name, value in kwargs.items()}
        return path, [prepared(value) for value in args], values


def prepared(value: Any) -> Any:
    """Return an operation, or a list of them, as what Django's writer writes without a loss."""
    if isinstance(value, list | tuple) and any(isinstance(one, Operation) for one in value):
        return [prepared(one) for one in value]
    if not isinstance(value, Operation):
        return value
    if not type(value).__module__.startswith("django."):
        return Call(value)
    name, args, kwargs = value.deconstruct()
    kwargs = {key: prepared(given) for key, given in kwargs.items()}
    if value.elidable:
        kwargs["elidable"] = True  # which ``deconstruct`` leaves out
    twin = copy.copy(value)
    twin.deconstruct = lambda: (name, args, kwargs)  # type: ignore[method-assign]  # of this one alone
    return twin


def written(operation: Operation, copier: Copier, indentation: int = 2) -> str:
    """Return an operation as source, with tokens for what the copier copies.

    Raises ``MigrationsError`` for what cannot be written.
    """
    ready = prepared(operation)
    with _functions(copier):
        try:
            if isinstance(ready, Call):
                text, lines = MigrationWriter.serialize(ready)
                text = f"{'    ' * indentation}{text},"
            else:
                text, lines = OperationWriter(ready, indentation).serialize()
        except ValueError as error:
            reason = str(error).split("\n", 1)[0]
            raise MigrationsError(
                f"'{operation.describe()}' cannot be written: {reason}"
            ) from error
    return _without_modules(text, lines, copier)


def _without_modules(text: str, lines: set[str], copier: Copier) -> str:
    """Return the text with tokens for what stands in migrations, and have the rest imported."""
    for line in sorted(lines, key=len, reverse=True):
        module = line.removeprefix("import ")
        source = copier.source(module) if module != line else None
        if source is None and (module == line or imports.is_importable(module)):
            copier.require([imports.from_line(line)])
        else:
            text = _named_in(text, module, source, copier)
    return text


def _named_in(text: str, module: str, source: Source | None, copier: Copier) -> str:
    """Replace ``module.name`` outside strings by a token, or by what imports such a module."""
    pattern = re.compile(rf"{STRING}|(?<![\w.]){re.escape(module)}\.((?:Migration\.)?\w+)")
    if source is None:
        copier.require([imports.Import(name="import_module", module="importlib")])

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        if source is None:
            return f'import_module("{module}").{match[1]}'
        return copier.name(source, match[1].removeprefix("Migration."))

    return pattern.sub(replace, text)


@contextmanager
def _functions(copier: Copier) -> Iterator[None]:
    """Have Django's writer ask the copier for functions of migrations."""

    class Serializer(FunctionTypeSerializer):
        def serialize(self) -> tuple[str, set[str]]:
            source = copier.source(str(self.value.__module__))
            if source is None or getattr(self.value, "__self__", None) is not None:
                return super().serialize()
            return _function(self.value, source, copier), set()

    kinds: Any = FUNCTION_TYPES  # a tuple, as ``isinstance`` takes it; the stubs want one type
    MigrationWriter.register_serializer(kinds, Serializer)
    try:
        yield
    finally:
        MigrationWriter.register_serializer(kinds, FunctionTypeSerializer)


def _function(function: FunctionType, source: Source, copier: Copier) -> str:
    """Return the token for a function of a migration's module."""
    name, _, rest = function.__qualname__.removeprefix("Migration.").partition(".")
    if rest and "<" not in rest:
        return f"{copier.name(source, name)}.{rest}"
    if not rest and source.has(name, function):
        return copier.name(source, name)
    if name == "<lambda>" and not function.__closure__ and (node := source.lambdas(function)):
        return copier.expression(source, node)
    raise MigrationsError(
        f"{source.file.name}: the function '{function.__qualname__}' cannot be copied, for it was "
        "made by other code. Define it at the top of the file."
    )
