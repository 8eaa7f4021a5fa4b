"""Reads the SQL of RunSQL: what stands in comments, strings and function bodies left out."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import sqlparse
from sqlparse import lexer, tokens

NAME = r'(?:(?:"[^"]+"|\w+)\.)?(?:"(?P<{0}_quoted>[^"]+)"|(?P<{0}>\w+))'
BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
CREATE_TABLE = re.compile(
    rf"(?i)\bCREATE\s+(?:(?:GLOBAL|LOCAL)\s+)?(?:(?:TEMP(?:ORARY)?|UNLOGGED)\s+)?TABLE\s+"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?{NAME.format('table')}"
)
ALTER = rf"(?i)\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{NAME.format('table')}\s+"
RENAME_TABLE = re.compile(rf"{ALTER}RENAME\s+TO\s+{NAME.format('name')}")
ON_TABLE = re.compile(
    rf"(?i)\b(?:(?:ALTER|DROP)\s+TABLE|TRUNCATE(?:\s+TABLE)?|\bON)\s+(?:IF\s+EXISTS\s+)?"
    rf"(?:ONLY\s+)?{NAME.format('table')}"
)
CHANGES_ROWS = re.compile(
    r"(?i)^\s*(?:WITH\b.*?\b)?(UPDATE|DELETE\s+FROM|INSERT\s+INTO)\b", re.DOTALL
)
CHANGES_SCHEMA = re.compile(r"(?i)^\s*(ALTER|DROP|CREATE\s+(UNIQUE\s+)?INDEX|TRUNCATE)\b")


def text_of(given: Any) -> str:
    """Return the SQL of a RunSQL as one text: it may be a string, or a list with parameters."""
    if isinstance(given, str):
        return given
    parts = [part if isinstance(part, str) else part[0] for part in given]
    return ";\n".join(part.rstrip().rstrip(";") for part in parts)


def statements(text: str) -> list[str]:
    """Return the statements of a text, without comments, strings and function bodies."""
    plain = BODY.sub("''", text)
    return [bare for each in sqlparse.split(plain) if (bare := _bare(each).strip(" \t\n;"))]


def created_tables(text: str) -> set[str]:
    """Return the tables that a text creates, with the names that it gives them afterwards."""
    made: set[str] = set()
    for statement in statements(text):
        if match := CREATE_TABLE.search(statement):
            made.add(name_in(match, "table"))
        elif (match := RENAME_TABLE.search(statement)) and name_in(match, "table") in made:
            made.add(name_in(match, "name"))
    return made


def in_order(text: str, fresh: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each statement, with the tables that were new before it."""
    known = set(fresh)
    done = ""
    for statement in statements(text):
        yield statement, frozenset(known)
        done += f"{statement};\n"
        known |= created_tables(done)


def name_in(match: re.Match[str], group: str) -> str:
    """Return a name that was found, as the database spells it: unquoted ones in lower case."""
    return match[f"{group}_quoted"] or match[group].lower()


def _bare(statement: str) -> str:
    parts = []
    for kind, value in lexer.tokenize(statement):
        if kind in tokens.Comment:
            parts.append(" ")
        elif kind in tokens.Literal.String.Single:
            parts.append("''")
        else:
            parts.append(value)
    return "".join(parts)
