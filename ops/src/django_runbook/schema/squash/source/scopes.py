"""Finds the names in Python code that mean the module's own, and where they stand.

``symtable`` knows the one and not the other, and takes text alone: the tests hold this against it.
Annotations that are strings are not read.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from django_runbook.schema.squash.source.meanings import Kind, Scope, mangled

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
#: Whether annotations are code of their own, which is run when somebody asks for them.
LAZY = sys.version_info >= (3, 14)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A name of the module, where it is read or bound. Columns are bytes, as ``ast`` counts.

    ``written``: as it stands there; a class puts its own name before ``__private`` ones.
    ``follows``: it is the next such word from there on; ``ast`` does not tell where.
    ``alias`` is what an import binds without ``as``: a new name is added there. ``unsure``: read in
    a class that binds it too, where it is the module's until then.
    """

    name: str
    written: str
    line: int
    column: int
    follows: bool = False
    alias: ast.alias | None = None
    unsure: bool = False


def references(node: ast.AST) -> tuple[Reference, ...]:
    """Return every name in a piece of code that is the module's (or a builtin's), in order."""
    return tuple(_Reader([node]).references())


def bound(nodes: Sequence[ast.AST]) -> set[str]:
    """Return what these statements bind in their own scope."""
    return _Reader(nodes).scope.own


def changed(statement: ast.stmt) -> set[str]:
    """Return the names whose objects a statement changes in place: ``X[1] = 2``, ``X.add(3)``."""
    return _Reader([statement]).scope.changed - {""}


class _Reader(ast.NodeVisitor):
    """Walks code that stands in a module, and notes the names in it with their scopes."""

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        self.scope = Scope(kind="module")
        self._found: list[tuple[Scope, Reference, bool]] = []
        self._visit(nodes)

    def references(self) -> Iterator[Reference]:
        """Yield the module's names."""
        for scope, found, reads in self._found:
            meaning = scope.meaning(found.name)
            if meaning == "module":
                yield found
            elif meaning == "either" and reads:
                yield replace(found, unsure=True)

    def visit_Name(self, node: ast.Name) -> None:
        reads = isinstance(node.ctx, ast.Load)
        self._note(node.id, node, reads=reads, binds=not reads)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.simple or node.value or not isinstance(node.target, ast.Name):
            self.visit(node.target)  # `(x): int` makes no name
        self._annotations([node.annotation])
        self._visit([node.value])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._note(node.target.id, node.target, reads=True)
        else:
            self.visit(node.target)
        self.visit(node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        inside = self.scope
        self.scope = inside.but("comprehension")
        self.visit(node.target)
        self.scope = inside
        self.visit(node.value)

    def visit_Attribute(self, node: ast.Attribute | ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.scope.changed.add(_root(node))
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit_Attribute(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            self.scope.changed.add(_root(node.value.func))
        self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        if node.name != "*":
            self._note(node.asname or node.name.partition(".")[0], node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._note(node.name, node, after=node.type)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self._note(node.name, node, after=node.pattern)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self._note(node.name, node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self._note(node.rest, node, after=node.patterns[-1] if node.patterns else None)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        for name in node.names:
            self._note(name, node, binds=False)
            self.scope.globals.add(mangled(name, self.scope.private))

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.nonlocals.update(mangled(name, self.scope.private) for name in node.names)

    def visit_FunctionDef(self, node: Function) -> None:
        self._note(node.name, node)
        self._visit([*node.decorator_list, *_defaults(node.args)])
        arguments = _arguments(node.args)
        with self._generic(node):
            self._annotations([*(one.annotation for one in arguments), node.returns])
            with self._inside("function", [one.arg for one in arguments]):
                self._visit(node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit(_defaults(node.args))
        with self._inside("function", [one.arg for one in _arguments(node.args)]):
            self.visit(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._note(node.name, node)
        self._visit(node.decorator_list)
        with self._generic(node):
            self._visit([*node.bases, *node.keywords])
            with self._inside("class"):
                self.scope.private = node.name
                self._visit(node.body)

    def visit_TypeAlias(self, node: Any) -> None:  # its class is there since Python 3.12
        self.visit(node.name)
        with self._generic(node), self._inside("annotation"):
            self.visit(node.value)

    def generic_visit(self, node: ast.AST) -> None:
        if not isinstance(node, Comprehension):
            super().generic_visit(node)
            return
        first, *others = node.generators
        self.visit(first.iter)  # in the scope around, before the targets are bound
        result = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        with self._inside("comprehension"):
            self._visit([first.target, *first.ifs, *others, *result])

    def _visit(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node:
                self.visit(node)

    def _annotations(self, nodes: Iterable[ast.AST | None]) -> None:
        with self._inside("annotation") if LAZY else nullcontext():
            self._visit(nodes)

    @contextmanager
    def _inside(self, kind: Kind, own: Iterable[str] = ()) -> Iterator[None]:
        outer = self.scope
        names = {mangled(name, outer.private) for name in own}
        around = (outer, *outer.around)
        self.scope = Scope(kind=kind, around=around, private=outer.private, own=names)
        yield
        self.scope = outer

    @contextmanager
    def _generic(self, node: ast.AST) -> Iterator[None]:
        """Have the type parameters of a definition, which are there since Python 3.12."""
        given = getattr(node, "type_params", [])
        with self._inside("annotation", [one.name for one in given]) if given else nullcontext():
            if isinstance(node, ast.ClassDef):
                self.scope.own.update(mangled(one.name, node.name) for one in given)
            for one in given:
                with self._inside("annotation"):  # what bounds it, and its default
                    self._visit(ast.iter_child_nodes(one))
            yield

    def _note(
        self,
        name: str,
        node: ast.expr | ast.stmt | ast.pattern | ast.alias | ast.excepthandler,
        *,
        after: ast.expr | ast.pattern | None = None,
        reads: bool = False,
        binds: bool = True,
    ) -> None:
        found = Reference(
            name=mangled(name, self.scope.private),
            written=name,
            line=(after and after.end_lineno) or node.lineno,
            column=(after and after.end_col_offset) or node.col_offset,
            follows=not isinstance(node, ast.Name),
            alias=node if isinstance(node, ast.alias) else None,
        )
        self._found.append((self.scope, found, reads))
        if binds:
            self.scope.own.add(found.name)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _arguments(args: ast.arguments) -> list[ast.arg]:
    stars = [one for one in (args.vararg, args.kwarg) if one]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *stars]


def _defaults(args: ast.arguments) -> list[ast.expr]:
    return [*args.defaults, *(one for one in args.kw_defaults if one)]
