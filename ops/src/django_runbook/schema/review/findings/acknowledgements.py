"""Reads which risks the file of a migration accepts, and why.

A comment above an operation, or on its lines, accepts a risk of that operation::

    operations = [
        # accepts drop-column: nobody has read it since 1.4
        migrations.RemoveField("thing", "name"),
    ]

Several may stand there, each on a line of its own. A risk of the migration itself is accepted by a
comment anywhere in the file. Where ``operations`` is not a plain list (a comprehension, ``+=``, a
star), lines tell nothing about its operations: there, too, a comment may stand anywhere.
"""

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.catalogue import RULES
from django_runbook.schema.review.sql.squawk import HAZARDS

FORM = "# accepts RULE: REASON"
COMMENT = re.compile(r"(?i)#+\s*accepts\b(?P<rest>.*)")
NAMED = re.compile(
    r"\s+(?P<rule>[a-z0-9]+(?:-[a-z0-9]+)*)\s*(?P<colon>:?)\s*(?P<reason>.*)", re.IGNORECASE
)
KNOWN = frozenset(RULES) | {rule for rule, _, _ in HAZARDS.values()}


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """One comment: the rule and the reason that it names, and where it stands.

    ``operations`` are those beside which it stands; with ``anywhere`` it may mean each of them.
    """

    line: int
    text: str
    rule: str
    reason: str
    operations: frozenset[int]
    anywhere: bool

    def fits(self, risk: Risk) -> bool:
        """Whether it stands beside the operation of a risk, and names its rule."""
        beside = self.anywhere or risk.operation is None or risk.operation in self.operations
        return beside and self.rule == risk.rule


def accepted(file: Path, risks: Sequence[Risk], *, known: Collection[str] = ()) -> tuple[Risk, ...]:
    """Return the risks, those with the reason filled in that the file accepts.

    A comment without a reason, with the name of no rule, or that fits no risk, is added as a
    warning ``accepts-nothing``; a file that cannot be read as a warning ``unreadable-file``, and
    nothing is accepted then. ``known`` are rules that others bring, besides those of this package.
    """
    try:
        found = acknowledgements(file.read_bytes())
    except (OSError, SyntaxError, ValueError, tokenize.TokenError) as error:
        return (*risks, _unreadable(file, _told(error)))
    usable = [each for each in found if each.rule and each.reason]
    kept = tuple(_with_reason(risk, usable) for risk in risks)
    names = KNOWN | {*known, *(risk.rule for risk in risks)}
    return (*kept, *(_idle(each, file, risks, names) for each in found if _is_idle(each, risks)))


def acknowledgements(source: bytes) -> tuple[Acknowledgement, ...]:
    """Return the comments that accept something, in the order of the file.

    Raises ``SyntaxError``, ``ValueError`` or ``tokenize.TokenError`` where the file is no Python.
    """
    places = _places(ast.parse(source))
    found = []
    for line, text in _comments(source):
        match = NAMED.fullmatch(COMMENT.fullmatch(text)["rest"])  # type: ignore[index]  # as in _comments
        if match is None or not _is_meant(match):
            if match is None and ":" in text:
                found.append(_made(line, text, "", "", places))
            continue
        reason = match["reason"].strip() if match["colon"] else ""
        found.append(_made(line, text, match["rule"].lower(), reason, places))
    return tuple(found)


def _is_meant(match: re.Match[str]) -> bool:
    """Whether a comment is more than prose that begins with this word."""
    return bool(match["colon"]) or "-" in match["rule"]


def _made(
    line: int, text: str, rule: str, reason: str, places: "list[range] | None"
) -> Acknowledgement:
    beside = frozenset(index for index, lines in enumerate(places or ()) if line in lines)
    return Acknowledgement(
        line=line,
        text=text,
        rule=rule,
        reason=reason,
        operations=beside,
        anywhere=places is None,
    )


def _comments(source: bytes) -> list[tuple[int, str]]:
    return [
        (token.start[0], token.string.strip())
        for token in tokenize.tokenize(io.BytesIO(source).readline)
        if token.type == tokenize.COMMENT and COMMENT.fullmatch(token.string.strip())
    ]


def _places(tree: ast.Module) -> list[range] | None:
    """Return the lines of each operation, from the end of the one before; None for no plain list.

    The lines between two operations belong to the second: what stands there stands above it.
    """
    given = [value for body in _bodies(tree) for value in _given(body)]
    outside = any(
        isinstance(node, ast.Attribute)
        and node.attr == "operations"
        and isinstance(node.value, ast.Name)
        and node.value.id == "Migration"
        for node in ast.walk(tree)
    )
    if outside or len(given) != 1 or not isinstance(given[0], ast.List | ast.Tuple):
        return None
    if any(isinstance(each, ast.Starred) for each in given[0].elts):
        return None
    places = []
    start = given[0].lineno
    for each in given[0].elts:
        end = each.end_lineno or each.lineno
        places.append(range(min(start, each.lineno), end + 1))
        start = end + 1
    return places


def _bodies(tree: ast.Module) -> Iterable[list[ast.stmt]]:
    return (
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Migration"
    )


def _given(body: list[ast.stmt]) -> Iterable[ast.expr | None]:
    """Yield what ``operations`` is given in a class; None for what is not a plain assignment."""
    for node in body:
        targets: list[ast.expr] = []
        value: ast.expr | None = None
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign):
            targets, value = [node.target], node.value
        if any(map(_is_operations, targets)):
            yield value
        elif any(map(_is_operations, ast.walk(node))):
            yield None


def _is_operations(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "operations"


def _with_reason(risk: Risk, usable: Iterable[Acknowledgement]) -> Risk:
    reason = next((each.reason for each in usable if each.fits(risk)), "")
    return replace(risk, accepted=reason) if reason else risk


def _is_idle(each: Acknowledgement, risks: Iterable[Risk]) -> bool:
    return not each.reason or not any(each.fits(risk) for risk in risks)


def _idle(each: Acknowledgement, file: Path, risks: Sequence[Risk], names: Collection[str]) -> Risk:
    elsewhere = any(each.rule == risk.rule for risk in risks)
    if not each.rule:
        why = f"names no rule: write {FORM}"
    elif each.rule not in names:
        why = f"there is no rule {each.rule}"
    elif not each.reason:
        why = f"gives no reason: write {FORM}"
    elif elsewhere:
        why = "stands beside another operation than the one with that risk"
    else:
        why = "there is no such risk any more"
    operation = min(each.operations) if each.operations else None
    return Risk(
        rule="accepts-nothing",
        severity=Severity.WARNING,
        reason=f"{file.name}, line {each.line}, '{each.text}': {why}.",
        rewrite="Mend the comment, or remove it.",
        source="rules",
        operation=operation,
    )


def _told(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg}, line {error.lineno}" if error.lineno else str(error.msg)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error.args[0]) if error.args else type(error).__name__


def _unreadable(file: Path, why: str) -> Risk:
    return Risk(
        rule="unreadable-file",
        severity=Severity.WARNING,
        reason=f"{file.name} cannot be read for what it accepts: {why}.",
        rewrite="Mend the file.",
        source="rules",
    )
