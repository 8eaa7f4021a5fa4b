"""What names in code mean, held against ``symtable``, which knows it from the compiler."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from symtable import Function, Symbol, SymbolTable, symtable
from textwrap import indent

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from django_runbook.schema.squash.source.edits import Piece, edited
from django_runbook.schema.squash.source.scopes import Reference, bound, changed, references

#: A name of a scope: whether it is read there, bound there, and the module's.
Row = tuple[str, bool, bool, bool]
Known = tuple[set[Row], list["Known"]]
#: Names that the compiler itself adds.
SYNTHETIC = re.compile(r"\..*|__(?!class__)\w+__")
#: Code of each kind: N is a name, X one that is the same throughout, C a class's; E an expression,
#: A one in an annotation; L a line, S a statement of several, B a block of both.
PLAIN = {
    "E": [
        *("N", "N", "N.a", "N[E]", "__class__"),
        *("(N := E)", "[E for N in E if E]", "{E: E for N, N in E for N in E}"),
        *("(E for X in X if (lambda: X))", "[(N := E) for c in N]", "{E for N in {E for N in E}}"),
        *("(lambda N=E: E)", "(lambda a, /, b=E, *, c=E: E)"),
    ],
    "A": ["N", "N", "'N'", "N[N]", "[N for N in N]", "(lambda N: N)", "(N := N)"],
    "L": [
        *("E", "N = E", "N = X = X", "N, *N = E", "N.a[E] = E", "del N"),
        *("N: A = E", "N: A", "(N): A", "(N): A = E"),
        *("import N", "import x.y as N", "from x import (N,\n  y as N)", "import N, x as N"),
    ],
    "S": [
        "for N in E:\n    B\nelse:\n    B",
        "with E as N, E as (N, N):\n    B",
        "try:\n    B\nexcept (E,  # a aé b\n        E) as N:\n    B",
        "try:\n    B\nexcept E as \\\n  N:\n    B\nfinally:\n    B",
        "match E:\n    case [N, *N] | {X.y: N,  # a aé b\n        **X} | {**N}:\n        B",
        "match E:\n    case N.x(y=(1 | X.y) as X) if E:\n        B\n    case N:\n        B",
        "@E\nasync def N(N: A, z: A = E, *y: A) -> A:\n    B",
        "def N(N=E, *a_, **b_):\n    N += E\n    B",
        "def N():\n    X = E\n    B\n    [E for X in X]",
        "def N(X):\n    def N():\n        nonlocal X\n        B\n    B",
        "def N(X):\n    def N():\n        global X\n        def N(): X\n        B\n    B",
        "def N(X):\n    class C:\n        nonlocal X\n        X = X\n        B\n    B",
        "def N(X):\n    class C:\n        global X, z\n        X = X\n        B\n    B",
        "def N():\n    global y, X, z\n    [(X := E) for z in N]\n    def N():\n        B\n    B",
        "def N():\n    global aé,a\n    B",
        "@E\nclass C(E, metaclass=E):\n    B",
        "class C:\n    X = E\n    def N(N: A = E) -> A:\n        X\n        B\n    B",
        "class C:\n    def N(N):\n        B\n    B",
    ],
}
NAMES = ["a", "aé", "b"]
GENERIC, PRIVATE = ({key: [*kinds] for key, kinds in PLAIN.items()} for _ in range(2))
if sys.version_info >= (3, 12):
    GENERIC["E"] += ["f'{E:{E}}'"]
    GENERIC["L"] += ["type N = A", "type N[X: A] = X", "type N[N: (A, A), *y, **z] = A"]
    GENERIC["S"] += [
        "def N[N](N: A) -> A:\n    B",
        "@E\ndef N[N: A, **z](N: A = E, *y: A) -> A:\n    B",
        "async def N[X: X](N: X = X) -> X:\n    X\n    B",
        "class C[N, *y](E, metaclass=E):\n    B",
        "class C[X: A](X):\n    def N(self) -> X: X\n    B",
        "class C:\n    X = E\n    def N[N: X](N: X) -> A:\n        X\n        B\n    type N[N] = X",
        "class C:\n    X = E\n    def N[X, Y: X](N: X) -> X:\n        X\n    type N[X] = X",
    ]
if sys.version_info >= (3, 13):
    GENERIC["L"] += ["type N[X = A, *y = A, **z = A] = A"]
    GENERIC["S"] += ["class C[X: A = A](A):\n    B", "def N[X, Y = X](N: X) -> Y:\n    B"]
    PRIVATE["S"] += ["class C[__a](E):\n    B", "def N[__a](N: A) -> A:\n    B"]


@st.composite
def code(draw: st.DrawFn, private: bool, kind: str, depth: int = 3) -> str:
    """Return a piece of code, ``depth`` levels deep: with private names, or type parameters."""
    kinds, names = (PRIVATE, [*NAMES, "__a"]) if private else (GENERIC, NAMES)
    if kind == "C" and private:  # two of one name would share what is private
        return f"_C{depth}"
    if kind in "NC" or (kind == "E" and not depth):
        return draw(st.sampled_from(names))
    if kind == "B":
        lines = [code(private, one, depth - 1) for one in ("LS" if depth > 1 else "L")]
        return "\n".join(draw(st.lists(st.one_of(lines), min_size=1, max_size=3)))
    same = draw(st.sampled_from(names))

    def part(found: re.Match[str]) -> str:
        if found[0] == "X":
            return same
        if found[1] is not None:
            return indent(draw(code(private, "B", depth)), found[1])
        return draw(code(private, found[0], depth - 1))

    return re.sub(r"(?m)^( *)B$|\b[NXEAC]\b", part, draw(st.sampled_from(kinds[kind])))


class Alike(ast.NodeTransformer):
    """Makes one kind of all comprehensions, for ``symtable`` does not tell the others apart."""

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    def visit_SetComp(self, node: ast.SetComp) -> ast.GeneratorExp:
        return self.visit_ListComp(node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.Tuple:
        self.generic_visit(node)
        return ast.Tuple(node.values, ast.Load())

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.Tuple:
        self.generic_visit(node)
        values = [node.value, *([node.format_spec] if node.format_spec else [])]
        return ast.Tuple(values, ast.Load())


def table(text: str) -> SymbolTable:
    """Return what the compiler knows of the names in a text."""
    return symtable(ast.unparse(Alike().visit(ast.parse(text))), "text", "exec")


@st.composite
def module(draw: st.DrawFn) -> str:
    """Return the text of a module."""
    text = draw(code(draw(st.booleans()), "B"))
    try:
        table(text)
    except SyntaxError:
        assume(False)
    return text


def symbols(here: SymbolTable) -> Iterator[tuple[Symbol, Row]]:
    """Yield the names that stand in the text of a scope, and what is known of each."""
    for one in here.get_symbols():
        binds = one.is_assigned() or one.is_imported() or one.is_parameter()
        row = (one.get_name(), one.is_referenced(), binds, one.is_global())
        if any(row[1:]) and not SYNTHETIC.fullmatch(one.get_name()):
            yield one, row


def known(here: SymbolTable) -> Known:
    """Return what is known of the names of a scope and of those inside it.

    A class that has another name has others for what is private in it, too.
    """
    rows = {(re.sub(r"\A_module_+", "_", name), *rest) for _, (name, *rest) in symbols(here)}
    return rows, [known(one) for one in here.get_children()]


def expected(here: SymbolTable, around: SymbolTable | None = None) -> Known:
    """Return the same with the module's names renamed, as the compiler has them.

    ``around``: the class whose names are seen from code in it that is no function.
    """
    rows = set()
    kind = str(here.get_type())
    around = around if kind not in {"class", "function"} else None
    for symbol, (name, *rest) in symbols(here):
        if kind == "class" and symbol.is_local():
            rows.add((name, False, True, False))
            if symbol.is_referenced():
                rows.add((f"either_{name}", True, False, True))
        elif symbol.is_global():
            either = around and name in around.get_identifiers() and around.lookup(name).is_local()
            rows.add((f"{'either' if either else 'module'}_{name}", *rest))
        else:
            rows.add((name, *rest))
    inside = here if kind == "class" else around
    return rows, [expected(one, inside) for one in here.get_children()]


def rewritten(text: str, renames: Iterable[tuple[Reference, str]]) -> str:
    """Return a text in which references have other names."""
    lines = [f"{line}\n".encode() for line in text.split("\n")]
    return edited(Piece(lines=lines, first=1, indents=[0 for _ in lines]), renames)


def renamed(text: str) -> str:
    """Return a text with the module's names renamed, as they are found."""
    renames = [
        (replace(one, unsure=False), f"{'either' if one.unsure else 'module'}_{one.name}")
        for one in references(ast.parse(text))
    ]
    return rewritten(text, renames)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(module())
def test_names_mean_what_the_compiler_says(text: str) -> None:
    """The module's names are found in every scope, where they stand, and no others."""
    assert known(table(renamed(text))) == expected(table(text))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(module())
def test_names_that_are_bound(text: str) -> None:
    """Statements bind what would be local if they stood in a function."""
    inside = table(f"def f():\n{indent(text, '    ')}").get_children()
    (function,) = (one for one in inside if isinstance(one, Function))
    assert bound(ast.parse(text).body) == {*function.get_locals()}


def test_names_of_the_module() -> None:
    """What is read in a scope that does not bind it is the module's; the rest is not."""
    code = ast.parse(
        "def f(x, *, y: note = default) -> result:\n"
        "    global g\n"
        "    g = [z for z in outer for w in z]\n"
        "    match x:\n"
        "        case {'k': v, **rest}: return v, rest, free\n"
        "    async def inner(): return x, y, seen\n"
        "    with opened() as (h, i): del h\n"
        "    return lambda q, r=base: (q, r, last)\n"
    )
    assert {found.name for found in references(code)} == {
        *("f", "note", "default", "result", "g", "outer", "free", "seen", "opened", "base", "last")
    }


@pytest.mark.parametrize("line", ["x = x", "x += 1", "x: x = 1"])
def test_names_that_a_class_may_have(line: str) -> None:
    """What a class reads and binds may be the module's where it is read."""
    found = references(ast.parse(f"class A:\n    {line}\n    def f(self): return x"))
    assert [(one.name, one.unsure) for one in found] == [("A", False), ("x", True), ("x", False)]


def test_private_names() -> None:
    """A class has its own name before what is private, if it has letters, and it is written out."""
    code = "class {}:\n    def f(self, __a): return __a, __b, __c__, self.__d\n"
    for name, private in [("A", "_A__b"), ("__A", "_A__b"), ("__", "__b")]:
        found = {one.name for one in references(ast.parse(code.format(name)))}
        assert found == {name, private, "__c__"}
    text = "class A:\n    __a = 1\n    b = __a\n    def f(self): return {}"
    same = [(one, one.name) for one in references(ast.parse(text.format("__b")))]
    assert rewritten(text.format("__b"), same) == text.format("_A__b")


def test_stars_bind_no_name() -> None:
    """What a star brings is not to be seen in the text."""
    code = ast.parse("if x:\n    from y import *")
    assert (bound(code.body), [one.name for one in references(code)]) == (set(), ["x"])


def test_objects_that_are_changed() -> None:
    """What a statement changes in place is named by its beginning, but not in a function."""
    code = (
        "if a.b:\n    c[1].d = 2\n    del e['f']\n    g.h[1].i(j.k)\n    l.m[n.o] += 3\n"
        "    [*p.q, r[0]] = [lambda: s.t()]\n    def u(): v.w = 4\n    x().y()\n"
    )
    (statement,) = ast.parse(code).body
    assert changed(statement) == {*"ceglpr"}
