"""Takes a CREATE TABLE of SQLite apart: its PRAGMAs tell no CHECK, collation or generated column.

Grammar: sqlite.org/lang_createtable.html. Words are put in lower case and quotes left out where
nothing needs them, as SQLite itself takes ``"Name"`` and ``name`` for the same.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<skip>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<string>[xX]?'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
  | (?P<bare>[^\W\d][\w$]*)
  | (?P<other>\d[\w.]*|->>|[|<>=!-][|<>=]|.)
    """,
    re.VERBOSE | re.DOTALL,
)
CLAUSES = {
    *("constraint", "primary", "not", "null", "unique", "check", "default", "collate"),
    *("references", "generated", "as", "foreign"),
}
#: Words that have a meaning here where no quotes stand around them.
SPECIAL = {*CLAUSES, "on", "asc", "virtual", "key", "set", "always", "deferrable"}
TABLE_CLAUSES = {"constraint", "primary", "unique", "check", "foreign"}
#: After these words a word that could begin a clause goes on with the one before it.
GOES_ON = {"not", "set", "default", "always"}
Tokens = list[str]


class NotUnderstoodError(Exception):
    """The text is no CREATE TABLE with columns; it is compared as a whole then."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a CREATE TABLE says. A constraint without a name has an empty one."""

    options: str
    columns: dict[str, str]
    constraints: tuple[tuple[str, str], ...]


def plain(statement: str) -> str:
    """Return a statement on one line, without comments, in the spelling that is compared."""
    return _joined(_tokens(statement))


def unquoted(name: str) -> str:
    """Return a name as it stands in what ``parse`` and ``plain`` return."""
    return _tokens('"' + name.replace('"', '""') + '"')[0]


def without_name(statement: str) -> str:
    """Return a CREATE INDEX from ON, and UNIQUE where it is; ASC is what SQLite does anyway."""
    tokens = _tokens(statement)
    rest = [word for word in tokens[tokens.index("on") :] if word != "asc"]
    return _joined([*(["unique"] if "unique" in tokens[:2] else []), *rest])


def parse(statement: str) -> Table:
    """Return the columns and the constraints of a table. Raises ``NotUnderstoodError``."""
    tokens = _tokens(statement)
    if "(" not in tokens or "virtual" in tokens[:2]:
        raise NotUnderstoodError(statement)
    body, rest = _inside(tokens[tokens.index("(") :])
    columns: dict[str, str] = {}
    constraints: list[tuple[str, str]] = []
    for piece in _split(body):
        if piece[0] in TABLE_CLAUSES:
            constraints += _named(_clauses(piece))
            continue
        clauses = _clauses(piece[1:])
        kind, parts = _joined(clauses[0]), list(_named(clauses[1:]))
        own = sorted(text for _name, text in parts if not _is_constraint(text) and text != "null")
        columns[piece[0]] = " ".join([kind, *own]).strip()
        constraints += [(name, _of(piece[0], text)) for name, text in parts if _is_constraint(text)]
    return Table(options=_joined(rest), columns=columns, constraints=tuple(constraints))


def _tokens(statement: str) -> Tokens:
    found: Tokens = []
    for match in TOKEN.finditer(statement):
        text = match[0]
        if match.lastgroup == "quoted":
            text = _unquote(text)
        elif match.lastgroup == "bare":
            text = text.lower()
        if match.lastgroup != "skip":
            found.append(text)
    return found


def _unquote(text: str) -> str:
    name = text[1:-1].replace(text[-1] * 2, text[-1]).lower()
    if re.fullmatch(r"[^\W\d][\w$]*", name) and name not in SPECIAL:
        return name
    return '"' + name.replace('"', '""') + '"'


def _joined(tokens: Sequence[str]) -> str:
    text = ""
    for before, word in zip(["(", *tokens], tokens, strict=False):
        tight = before in {"(", "."} or word in {")", ",", "."}
        text += word if tight else f" {word}"
    return text


def _inside(tokens: Tokens) -> tuple[Tokens, Tokens]:
    """Return what stands in the brackets that the tokens begin with, and what follows them."""
    depth = 0
    for place, word in enumerate(tokens):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return tokens[1:place], tokens[place + 1 :]
    raise NotUnderstoodError(_joined(tokens))


def _split(body: Tokens) -> Iterator[Tokens]:
    """Yield what stands between the commas that stand in no brackets."""
    depth, piece = 0, Tokens()
    for word in [*body, ","]:
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            if not piece:
                raise NotUnderstoodError(_joined(body))
            yield piece
            piece = []
        else:
            piece.append(word)


def _clauses(tokens: Tokens) -> list[Tokens]:
    """Return the clauses of a column or a table; what comes before the first is a column's type."""
    found: list[Tokens] = [[]]
    depth = 0
    for place, word in enumerate(tokens):
        before = tokens[place - 1] if place else ""
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        goes_on = before in GOES_ON or (word == "not" and after == "deferrable")
        goes_on = goes_on or (word == "references" and "foreign" in found[-1])
        if word in CLAUSES and depth == 0 and not goes_on:
            found.append([])
        found[-1].append(word)
        depth += (word == "(") - (word == ")")
    return found


def _named(clauses: list[Tokens]) -> Iterator[tuple[str, str]]:
    """Yield the name, where CONSTRAINT gives one, and the text of each clause."""
    name = ""
    for clause in clauses:
        if clause[:1] == ["constraint"]:
            name = clause[1].strip('"').replace('""', '"')
        elif clause:
            yield name, _joined(clause)
            name = ""


def _is_constraint(text: str) -> bool:
    return text.startswith(("primary key", "unique", "check", "references"))


def _of(column: str, text: str) -> str:
    """Return a column's constraint as a table would have it."""
    if text.startswith("references"):
        return f"foreign key ({column}) {text}"
    for start in ("primary key", "unique"):
        if text.startswith(start):
            return f"{start} ({column}){text.removeprefix(start).replace(' asc', '')}"
    return text
