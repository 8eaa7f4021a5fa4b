"""Finds the names in Python code that mean the module's own, and where they stand."""

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A name of the module, where it is read or bound. Columns are bytes, as ``ast`` counts.

    ``alias`` is what an import binds without ``as``: a new name is added there. ``unsure``: read in
    the body of a class that binds it too, where it is the module's until then.
    """

    name: str
    line: int
    column: int
    binds: bool = False
    alias: ast.alias | None = None
    unsure: bool = False


def references(node: ast.AST) -> tuple[Reference, ...]:
    """Return every name in a piece of code that is the module's (or a builtin's), in order."""
    finder = _Finder()
    finder.visit(node)
    return tuple(finder.found)


def bound(nodes: Sequence[ast.AST]) -> set[str]:
    """Return what these statements bind in their own scope."""
    names: set[str] = set()
    elsewhere: set[str] = set()
    for node in _same_scope(nodes):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name.partition(".")[0])
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                names.add(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                names.add(name)
            case ast.Global(names=given) | ast.Nonlocal(names=given):
                elsewhere.update(given)
    return names - elsewhere


def changed(statement: ast.stmt) -> set[str]:
    """Return the names whose objects a statement changes in place: ``X[1] = 2``, ``X.add(3)``."""
    names = set()
    for node in _same_scope([statement]):
        match node:
            case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
                names.add(_root(node))
            case ast.Expr(value=ast.Call(func=ast.Attribute() as target)):
                names.add(_root(target))
    return names - {""}


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _same_scope(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield what is run in the scope of these nodes: no bodies of functions and classes."""
    for node in nodes:
        yield node
        if isinstance(node, Function):
            inside: list[ast.AST] = [*node.decorator_list, *node.args.defaults]
        elif isinstance(node, ast.ClassDef):
            inside = [*node.decorator_list, *node.bases]
        elif isinstance(node, ast.Lambda):
            inside = [*node.args.defaults]
        elif isinstance(node, COMPREHENSIONS):  # its targets are its own; `:=` binds outside
            inside = [walrus for walrus in ast.walk(node) if isinstance(walrus, ast.NamedExpr)]
        else:
            inside = [*ast.iter_child_nodes(node)]
        yield from _same_scope(inside)


class _Finder(ast.NodeVisitor):
    """Walks code with the scopes that it is in; ``scopes`` is empty at the module's level."""

    def __init__(self) -> None:
        self.found: list[Reference] = []
        self._scopes: list[tuple[bool, set[str]]] = []

    def visit_Name(self, node: ast.Name) -> None:
        binds = not isinstance(node.ctx, ast.Load)
        is_class, own = self._scopes[-1] if self._scopes else (False, set())
        if is_class and not binds and node.id in own:
            found = Reference(name=node.id, line=node.lineno, column=node.col_offset, unsure=True)
            self.found.append(found)
        self._note(node.id, node, binds=binds)

    def visit_alias(self, node: ast.alias) -> None:
        name = node.asname or node.name.partition(".")[0]
        if self._is_global(name):
            self.found.append(
                Reference(
                    name=name,
                    line=node.lineno,
                    column=node.col_offset,
                    binds=True,
                    alias=node,
                )
            )

    def visit_FunctionDef(self, node: Function) -> None:
        self._note(node.name, node, binds=True)
        annotations = [one.annotation for one in _arguments(node.args) if one.annotation]
        outside = [*node.decorator_list, *_defaults(node.args), *annotations]
        self._visit([*outside, *([node.returns] if node.returns else [])])
        own = {one.arg for one in _arguments(node.args)} | bound(node.body)
        own -= {
            name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names
        }
        with self._scope(own):
            self._visit(node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit(_defaults(node.args))
        with self._scope({one.arg for one in _arguments(node.args)}):
            self.visit(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._note(node.name, node, binds=True)
        self._visit([*node.decorator_list, *node.bases, *node.keywords])
        with self._scope(bound(node.body), is_class=True):
            self._visit(node.body)

    def visit_Global(self, node: ast.Global) -> None:
        for name in node.names:
            self.found.append(
                Reference(name=name, line=node.lineno, column=node.col_offset, binds=True)
            )

    def generic_visit(self, node: ast.AST) -> None:
        if not isinstance(node, COMPREHENSIONS):
            super().generic_visit(node)
            return
        self.visit(node.generators[0].iter)  # in the scope around, before the targets are bound
        own = bound([one.target for one in node.generators])
        with self._scope(own):
            first, *others = node.generators
            self._visit([first.target, *first.ifs, *others])
            parts = ("key", "value") if isinstance(node, ast.DictComp) else ("elt",)
            self._visit([getattr(node, part) for part in parts])

    def _visit(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    @contextmanager
    def _scope(self, own: set[str], *, is_class: bool = False) -> Iterator[None]:
        self._scopes.append((is_class, own))
        yield
        self._scopes.pop()

    def _is_global(self, name: str) -> bool:
        """Tell whether no scope around has the name; a class's is seen from its own body alone."""
        innermost = len(self._scopes) - 1
        return not any(
            name in own
            for level, (is_class, own) in enumerate(self._scopes)
            if not is_class or level == innermost
        )

    def _note(self, name: str, node: ast.expr | ast.stmt, *, binds: bool) -> None:
        if self._is_global(name):
            self.found.append(
                Reference(name=name, line=node.lineno, column=node.col_offset, binds=binds)
            )


def _arguments(args: ast.arguments) -> list[ast.arg]:
    stars = [one for one in (args.vararg, args.kwarg) if one]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *stars]


def _defaults(args: ast.arguments) -> list[ast.expr]:
    return [*args.defaults, *(one for one in args.kw_defaults if one)]
