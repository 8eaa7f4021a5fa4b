"""The source of a migration's module: its statements, and what is needed for a name."""

import ast
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.source import imports
from django_runbook.schema.squash.source.edits import cut, edited
from django_runbook.schema.squash.source.imports import Import
from django_runbook.schema.squash.source.scopes import Reference, bound, changed, references

#: What Django reads from a migration; the rest of the class is the author's own.
STANDARD = ("operations", "dependencies", "run_before", "replaces", "initial", "atomic")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement of the module, or of the class ``Migration``: that one is lifted out of it.

    ``names`` is what it binds or changes in place.
    """

    number: int
    node: ast.stmt
    names: frozenset[str]
    lifted: bool = False


class Source:
    """A module of migrations, as text and as it was imported."""

    def __init__(self, module: str) -> None:
        self.module = module
        self._namespace: dict[str, Any] = vars(sys.modules[module])
        self.file = Path(str(self._namespace["__file__"]))
        try:
            with tokenize.open(self.file) as file:
                text = file.read()
        except (OSError, SyntaxError) as error:
            raise MigrationsError(f"{self.file} cannot be read: {error}.") from error
        self._lines = [f"{line}\n".encode() for line in text.split("\n")]
        self._tree = ast.parse(text)
        classes = [node for node in self._tree.body if isinstance(node, ast.ClassDef)]
        self.migration = next((node for node in classes if node.name == "Migration"), None)
        self.statements = tuple(self._statements())
        self.words = frozenset(re.findall(r"\w+", text))

    def is_of(self, module: ModuleType) -> bool:
        """Tell whether this is the source of a module as it is imported now."""
        return vars(module) is self._namespace

    def binding(self, name: str) -> tuple[tuple[Import, ...], tuple[Statement, ...]]:
        """Return the imports that bind a name, or else the statements that make it; or neither."""
        found = tuple(one for one in self.statements if name in one.names)
        given = [one for part in found for one in imports.parsed(part.node) if one.binds == name]
        if found and all(isinstance(one.node, ast.Import | ast.ImportFrom) for one in found):
            dotted = tuple(one for one in given if one.is_dotted)
            return dotted if dotted and given[-1].is_dotted else (given[-1],), ()
        if found:
            return (), found
        return self._starred(name), ()

    def absolute(self, module: str) -> str:
        """Return the full name of the module in a ``from`` import of this one."""
        package = str(self._namespace.get("__package__") or self.module.rpartition(".")[0])
        return resolve_name(module, package) if module.startswith(".") else module

    def future(self) -> Iterator[Import]:
        """Yield the module's imports from ``__future__``: they change what its code means."""
        for statement in self._tree.body:
            yield from (one for one in imports.parsed(statement) if one.module == "__future__")

    def operations(self) -> Sequence[ast.expr]:
        """Return the operations as they are written; nothing where they are computed."""
        found = [] if self.migration is None else _assigned(self.migration, "operations")
        match found:
            case [ast.Assign(value=ast.List(elts=elements) | ast.Tuple(elts=elements))]:
                return () if any(isinstance(one, ast.Starred) for one in elements) else elements
            case _:
                return ()

    def own(self) -> Sequence[ast.stmt]:
        """Return what the class ``Migration`` has beside what Django reads from it."""
        body = [] if self.migration is None else self.migration.body
        return [node for node in body if not bound([node]) & {*STANDARD} and not _is_text(node)]

    def lambdas(self, function: FunctionType) -> ast.Lambda | None:
        """Return the source of a lambda; of two that do the same, either."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Lambda) and node.lineno == function.__code__.co_firstlineno:
                made = compile(ast.Expression(node), str(self.file), "eval")
                codes = [part for part in made.co_consts if isinstance(part, CodeType)]
                if any(_same(code, function.__code__) for code in codes):
                    return node
        return None

    def has(self, name: str, value: object) -> bool:
        """Tell whether a name of the module is this very object."""
        owner = self._namespace.get("Migration")
        return self._namespace.get(name, getattr(owner, name, None)) is value

    def text(self, node: ast.stmt | ast.expr, new: Callable[[str], str]) -> str:
        """Return the source of a statement or an expression, with the module's names renamed."""
        own = {one.node for one in self.statements if one.lifted}
        piece = cut(self._lines, node, dedent=node in own)
        return edited(piece, [(found, new(found.name)) for found in references(node)])

    def references(self, nodes: Iterable[ast.AST]) -> tuple[Reference, ...]:
        """Return the module's names in some of its code."""
        return tuple(found for node in nodes for found in references(node))

    def _statements(self) -> Iterator[Statement]:
        for number, node in enumerate([*self._tree.body, *self.own()]):
            if node is not self.migration:
                names = frozenset(bound([node]) | changed(node))
                lifted = node not in self._tree.body
                yield Statement(number=number, node=node, names=names, lifted=lifted)

    def _starred(self, name: str) -> tuple[Import, ...]:
        """Return the import of a name that ``from module import *`` has brought."""
        for statement in reversed(self._tree.body):
            for one in imports.parsed(statement):
                module = import_module(self.absolute(one.module)) if one.name == "*" else None
                public = getattr(module, "__all__", None) or [
                    word for word in dir(module) if not word.startswith("_")
                ]
                if module and name in public:
                    return (Import(module=one.module, name=name),)
        return ()


_READ: dict[str, Source] = {}


def read(module: str) -> Source:
    """Return the source of a module, parsed again only where it was imported again."""
    known = _READ.get(module)
    if known is None or not known.is_of(sys.modules[module]):
        known = _READ[module] = Source(module)
    return known


def _assigned(node: ast.ClassDef, name: str) -> list[ast.stmt]:
    return [part for part in node.body if name in bound([part]) | changed(part)]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _same(one: CodeType, other: CodeType) -> bool:
    return (one.co_code, one.co_names, one.co_varnames, _constants(one)) == (
        other.co_code,
        other.co_names,
        other.co_varnames,
        _constants(other),
    )


def _constants(code: CodeType) -> list[object]:
    """Return a code's constants; code among them as its own parts, for it holds line numbers."""
    return [
        (part.co_code, _constants(part)) if isinstance(part, CodeType) else (type(part), part)
        for part in code.co_consts
    ]
