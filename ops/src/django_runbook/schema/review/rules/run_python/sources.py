"""Reads the code of RunPython: its function, and the functions of that module that it calls."""

import ast
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from django.apps import apps as global_apps
from django.db.models import Model

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, kw_only=True)
class Code:
    """A function with its syntax tree and the names that its module gives it."""

    tree: Function
    globals: dict[str, Any]

    @property
    def local_names(self) -> set[str]:
        """Return the names that the function binds itself: parameters, assignments, imports."""
        arguments = self.tree.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        names = {each.arg for each in every}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names.update(name.asname or name.name.split(".")[0] for name in node.names)
        return names

    def value(self, node: ast.expr) -> Any:
        """Return what an expression stands for: a global, something imported, or None."""
        if isinstance(node, ast.Attribute):
            owner = self.value(node.value)
            if isinstance(owner, ModuleType | type):
                return getattr(owner, node.attr, None)
            return None
        if not isinstance(node, ast.Name):
            return None
        if (found := self._imported(node.id)) is not None:
            return found
        return None if node.id in self.local_names else self.globals.get(node.id)

    def _imported(self, wanted: str) -> Any:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    top = name.name.split(".")[0]
                    if wanted == (name.asname or top):
                        return sys.modules.get(name.name if name.asname else top)
            elif isinstance(node, ast.ImportFrom):
                module = _module(node, self.globals)
                for name in node.names:
                    if wanted == (name.asname or name.name):
                        return getattr(module, name.name, None)
        return None


def codes(function: Callable[..., Any]) -> list[Code]:
    """Return a function's code and that of the functions of its own module that it calls.

    Raises ``OSError``, ``TypeError`` or ``SyntaxError`` where there is no source to read.
    """
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if not inspect.isroutine(function):
        function = type(function).__call__
    found: dict[Any, Code] = {}
    waiting = [function]
    while waiting:
        current = inspect.unwrap(waiting.pop())
        if current in found:
            continue
        code = found[current] = _code(current)
        waiting += [
            value
            for node in ast.walk(code.tree)
            if isinstance(node, ast.Name) and inspect.isfunction(value := code.value(node))
            if value.__module__ == current.__module__
        ]
    return list(found.values())


def real_models(code: Code) -> Iterator[str]:
    """Yield what reaches for models as they are today, each as it is written."""
    for node in ast.walk(code.tree):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        value = code.value(node)
        if isinstance(value, type) and issubclass(value, Model) and value is not Model:
            yield ast.unparse(node)
        elif value is global_apps:
            yield f"{ast.unparse(node)} (django.apps)"
        elif getattr(value, "__name__", "") == "get_user_model":
            yield "get_user_model()"


def loads_fixtures(code: Code) -> bool:
    """Whether the code runs ``loaddata``, which knows today's models alone."""
    return any(
        isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("call_command")
        and any(isinstance(each, ast.Constant) and each.value == "loaddata" for each in node.args)
        for node in ast.walk(code.tree)
    )


def _code(function: Callable[..., Any]) -> Code:
    lines, first = inspect.getsourcelines(inspect.getmodule(function) or function)
    wanted = function.__code__.co_firstlineno - max(first - 1, 0)
    for node in ast.walk(ast.parse("".join(lines))):
        if isinstance(node, Function):
            decorators = getattr(node, "decorator_list", [])
            if wanted in {node.lineno, *(each.lineno for each in decorators)}:
                return Code(tree=node, globals=function.__globals__)
    raise OSError("its source is not where it says")


def _module(node: ast.ImportFrom, names: dict[str, Any]) -> ModuleType | None:
    if not node.level:
        return sys.modules.get(node.module or "")
    package = str(names.get("__package__") or "").split(".")
    base = package[: len(package) - node.level + 1]
    return sys.modules.get(".".join([*base, *([node.module] if node.module else [])]))
