"""Changes the text of migrations where a squash makes it necessary, and nothing else of it."""

import ast
import re
from collections.abc import Iterator, Mapping

from django_runbook.schema.history.graph import Key

Span = tuple[int, int]
#: Where a migration names others.
NAMING = ("dependencies", "run_before")


def without_replaces(text: str) -> str | None:
    """Return a squashed migration as a normal one; None where it has no ``replaces`` of its own."""
    for name, node in _assignments(text):
        if name == "replaces":
            lines = _lines(text)
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            while last < len(lines) and not lines[last].strip():
                last += 1  # the line before is empty, or begins the class
            return "".join([*lines[:first], *lines[last:]])
    return None


def renamed(text: str, names: Mapping[Key, Key]) -> tuple[str, frozenset[Key]]:
    """Return a migration that names the new ones, and which of the old ones it had named.

    One that would be named twice is named once. Only what is written out is seen: a name that is
    computed stays.
    """
    spans: list[tuple[Span, str]] = []
    found: set[Key] = set()
    starts = _line_starts(text)
    for name, node in _assignments(text):
        if name not in NAMING or not isinstance(node.value, ast.List | ast.Tuple):
            continue
        seen: set[Key] = set()
        end = 0
        for element in node.value.elts:
            span = _span(text, starts, element)
            key = _key(element)
            if key:
                new = names.get(key, key)
                if key in names:
                    found.add(key)
                    again = ((end, span[1]), "")
                    spans.append(again if new in seen else (span, f'("{new[0]}", "{new[1]}")'))
                seen.add(new)
            end = span[1]
    for (begin, end), new_text in sorted(spans, reverse=True):
        text = text[:begin] + new_text + text[end:]
    return text, frozenset(found)


def _assignments(text: str) -> Iterator[tuple[str, ast.Assign | ast.AnnAssign]]:
    """Yield what the class ``Migration`` sets, by its name."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name == "Migration":
            for statement in node.body:
                match statement:
                    case ast.Assign(targets=[ast.Name(id=name)]):
                        yield name, statement
                    case ast.AnnAssign(target=ast.Name(id=name)) if statement.value:
                        yield name, statement
                    case _:
                        continue


def _key(element: ast.expr) -> Key | None:
    match element:
        case ast.Tuple(elts=[ast.Constant(value=str(app)), ast.Constant(value=str(name))]):
            return app, name
        case _:
            return None


def _lines(text: str) -> list[str]:
    """Return the lines as Python counts them: a form feed ends none."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in _lines(text):
        starts.append(starts[-1] + len(line))
    return starts


def _span(text: str, starts: list[int], node: ast.expr) -> Span:
    """Return where an expression stands, in characters; ``ast`` counts columns in bytes."""

    def at(line: int, column: int) -> int:
        begin = starts[line - 1]
        return begin + len(text[begin : starts[line]].encode()[:column].decode())

    return at(node.lineno, node.col_offset), at(
        node.end_lineno or node.lineno, node.end_col_offset or 0
    )
