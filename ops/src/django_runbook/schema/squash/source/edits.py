"""Cuts pieces out of source text, and gives names in them other names."""

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.source.scopes import Reference

#: A whole word; some way on in its line, where no comment stands before it.
WORD = rb"(?<![\w\x80-\xff])(%s)(?![\w\x80-\xff])"
FOLLOWING = rb"[^#]*?" + WORD
#: A change of a line: its number, from where to where, and what to.
Change = tuple[int, int, int, bytes]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Lines of a source, from ``first`` on; of the first line, what stands from ``column`` on.

    ``indents`` is how many bytes were taken from the beginning of each line.
    """

    lines: list[bytes]
    first: int
    indents: list[int]


def cut(lines: Sequence[bytes], node: ast.stmt | ast.expr, *, dedent: bool) -> Piece:
    """Return the text of a node: with its decorators, and the comment lines right above it.

    ``dedent``: take it out of a class's body; what stands in strings stays as it is.
    """
    begin, column = node.lineno, node.col_offset
    end, last = node.end_lineno or begin, node.end_col_offset
    for decorator in getattr(node, "decorator_list", []):
        begin = min(begin, decorator.lineno)
    if isinstance(node, ast.stmt):
        while begin > 1 and _is_comment(lines[begin - 2], column):
            begin -= 1
    found = list(lines[begin - 1 : end])
    found[-1] = found[-1][:last]
    indents = [column, *(0 for _ in found[1:])]
    if dedent:
        inside = _in_strings(node)
        for number, line in enumerate(found[1:], 1):
            blank = line[:column].strip() == b"" and begin + number not in inside
            indents[number] = column if blank else 0
    cut_off = [line[indent:] for line, indent in zip(found, indents, strict=True)]
    return Piece(lines=cut_off, first=begin, indents=indents)


def edited(piece: Piece, renames: Iterable[tuple[Reference, str]]) -> str:
    """Return a piece's text in which these references have their new names.

    Raises ``MigrationsError`` for ``import a.b``, which cannot bind another name.
    """
    changes = []
    for found, new in renames:
        if found.unsure and new != found.name:
            raise MigrationsError(
                f"'{found.name}' stands in a class that has one of its own. Give one another name."
            )
        if not found.unsure and new != found.written:
            changes.append(_change(piece, found, new))
    lines = list(piece.lines)
    for number, begin, end, text in sorted(changes, reverse=True):
        lines[number] = lines[number][:begin] + text + lines[number][end:]
    return b"".join(lines).decode().rstrip()


def _change(piece: Piece, found: Reference, new: str) -> Change:
    if found.alias is not None:
        number = (found.alias.end_lineno or found.line) - piece.first
        end = (found.alias.end_col_offset or 0) - piece.indents[number]
        if found.alias.asname:
            return number, end - len(found.written.encode()), end, new.encode()
        if "." in found.alias.name:
            raise MigrationsError(f"'import {found.alias.name}' cannot bind '{new}'.")
        return number, end, end, f" as {new}".encode()
    first = found.line - piece.first
    column = found.column - piece.indents[first]
    word = re.compile((FOLLOWING if found.follows else WORD) % re.escape(found.written.encode()))
    for number in range(first, len(piece.lines) if found.follows else first + 1):
        match = word.match(piece.lines[number], column if number == first else 0)
        if match and column >= 0:
            return number, *match.span(1), new.encode()
    # before Python 3.12, it is not known where a name in a formatted string stands
    raise MigrationsError(f"'{found.name}' in a formatted string cannot become '{new}'.")


def _is_comment(line: bytes, column: int) -> bool:
    return line[:column].strip() == b"" and line[column : column + 1] == b"#"


def _in_strings(node: ast.AST) -> set[int]:
    """Return the lines that begin inside a string."""
    return {
        line
        for part in ast.walk(node)
        if isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, str | bytes))
        for line in range(part.lineno + 1, (part.end_lineno or part.lineno) + 1)
    }
