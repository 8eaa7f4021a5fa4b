"""Lets squawk, the linter for PostgreSQL migrations, read the SQL that a migration truly runs."""

import json
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlparse

from django_runbook.extras import install
from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.sql import lexing

INSTALL = install("review")
SECONDS = 60
#: What squawk reports and this review leaves out, with the reason.
LEFT_OUT = {
    "ban-char-field": "style of types",
    "ban-drop-not-null": "allowing NULL is how a safe change begins",
    "prefer-bigint-over-int": "style of types",
    "prefer-bigint-over-smallint": "style of types",
    "prefer-identity": "style of types",
    "prefer-robust-stmts": "Django records what it has applied, and never repeats it",
    "prefer-text-field": "style of types",
    "prefer-timestamp-tz": "style of types",
    "prefer-timestamptz": "style of types",
    "require-enum-value-ordering": "style",
    "require-lock-timeout": "inv db.migrate sets it",
    "require-statement-timeout": "inv db.migrate sets it",
    "require-table-schema": "style",
    "require-timeout-settings": "inv db.migrate sets them",
    "transaction-nesting": "Django opens the transaction",
}
FIRST_CODE = "First release code that does not name it."
#: Squawk's rules: what this review calls the same hazard, and what to do where squawk says nothing.
HAZARDS = {
    "adding-field-with-default": ("add-volatile-default", Severity.DANGER, ""),
    "adding-foreign-key-constraint": ("add-foreign-key", Severity.DANGER, ""),
    "adding-not-nullable-field": ("set-not-null", Severity.DANGER, ""),
    "adding-required-field": ("add-not-null", Severity.DANGER, ""),
    "adding-serial-primary-key-field": ("add-primary-key", Severity.DANGER, ""),
    "ban-concurrent-index-creation-in-transaction": (
        "concurrently-in-transaction",
        Severity.DANGER,
        "",
    ),
    "ban-drop-default": ("drop-db-default", Severity.DANGER, FIRST_CODE),
    "ban-drop-column": ("drop-column", Severity.DANGER, FIRST_CODE),
    "ban-drop-constraint": ("ban-drop-constraint", Severity.NOTE, "See that no code relies on it."),
    "ban-drop-database": ("ban-drop-database", Severity.DANGER, "Leave the database alone."),
    "ban-drop-table": ("drop-table", Severity.DANGER, FIRST_CODE),
    "ban-truncate-cascade": ("ban-truncate-cascade", Severity.DANGER, "Name each table."),
    "changing-column-type": (
        "change-type",
        Severity.DANGER,
        "Add a new column, let the code write both, and fill it in batches.",
    ),
    "constraint-missing-not-valid": ("add-check", Severity.DANGER, ""),
    "disallowed-unique-constraint": ("add-unique", Severity.DANGER, ""),
    "renaming-column": ("rename-column", Severity.DANGER, "Keep the name, by db_column."),
    "renaming-table": ("rename-table", Severity.DANGER, "Keep the name, by db_table."),
    "require-concurrent-index-creation": ("add-index", Severity.DANGER, ""),
    "require-concurrent-index-deletion": ("remove-index", Severity.WARNING, ""),
    "require-concurrent-partition-detach": (
        "require-concurrent-partition-detach",
        Severity.DANGER,
        "",
    ),
    "require-concurrent-reindex": ("require-concurrent-reindex", Severity.DANGER, ""),
    "syntax-error": ("unseen-operation", Severity.NOTE, "Look at the SQL yourself."),
}
#: One rule of squawk stands for several hazards, which the statement tells apart.
NARROWED = (
    ("add-index", re.compile(r"(?i)^\s*CREATE\s+UNIQUE\b"), "add-unique"),
    ("add-check", re.compile(r"(?i)\bVALIDATE\s+CONSTRAINT\b"), "validate-with-add"),
    ("add-check", re.compile(r"(?i)\bFOREIGN\s+KEY\b|\bREFERENCES\b"), "add-foreign-key"),
    ("add-check", re.compile(r"(?i)\bUNIQUE\b"), "add-unique"),
    ("add-check", re.compile(r"(?i)\bPRIMARY\s+KEY\b"), "add-primary-key"),
    ("add-check", re.compile(r"(?i)\bEXCLUDE\b"), "add-exclusion"),
    ("add-volatile-default", re.compile(r"(?i)\bGENERATED\s+ALWAYS\b"), "add-generated-column"),
)


class SquawkMissingError(Exception):
    """Squawk is not installed. The message says how to get it."""


class SquawkFailedError(Exception):
    """Squawk did not do its work. The message is one line with its own reason."""


@dataclass(frozen=True, kw_only=True)
class _Statement:
    operation: int | None
    text: str
    line: int


def squawk(
    statements: Sequence[tuple[int | None, str]], *, atomic: bool, version: str
) -> tuple[Risk, ...]:
    """Return what squawk finds in a migration's statements, each with the index of its operation.

    ``atomic`` is whether the migration is one transaction, ``version`` that of PostgreSQL. A
    finding has the name that the rules give to the same hazard. Tables that the statements make
    themselves are no risk. Comments that silence squawk are not obeyed, nor is its own
    configuration: what is accepted stands beside the operation. Raises ``SquawkMissingError`` and
    ``SquawkFailedError``.
    """
    numbered, text = _numbered(statements)
    if not numbered:
        return ()
    fresh = lexing.created_tables(text)
    risks: dict[tuple[int | None, str, str], Risk] = {}
    for finding in _findings(_run(text, atomic=atomic, version=version)):
        if finding.rule not in LEFT_OUT:
            risk = _risk(finding, numbered)
            if not risk.table or risk.table not in fresh:
                risks.setdefault((risk.operation, risk.rule, risk.table), risk)
    return tuple(risks.values())


@dataclass(frozen=True, kw_only=True)
class _Finding:
    rule: str
    line: int
    message: str
    help: str


def _numbered(statements: Sequence[tuple[int | None, str]]) -> tuple[list[_Statement], str]:
    """Return the single statements, each with the line at which it begins, and the whole text."""
    found: list[_Statement] = []
    lines: list[str] = []
    for operation, given in statements:
        for part in sqlparse.split(given.replace("squawk-ignore", "squawk_ignore")):
            text = part.strip().removesuffix(";")
            if lexing.statements(text):
                found.append(_Statement(operation=operation, text=text, line=len(lines)))
                lines += [*text.split("\n"), ";"]  # apart: the last line may be a comment
    return found, "\n".join(lines) + "\n"


def _run(text: str, *, atomic: bool, version: str) -> str:
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    program = str(beside) if beside.exists() else shutil.which("squawk")
    if program is None:
        raise SquawkMissingError(f"squawk is not installed: {INSTALL}.")
    known = re.match(r"\d+(\.\d+)?", version)
    argv = [program, "--reporter", "json", "--config", os.devnull]
    argv += ["--pg-version", known[0]] if known else []
    argv += ["--assume-in-transaction"] if atomic else []
    try:
        done = subprocess.run(
            argv, input=text.encode(), capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SquawkFailedError(f"{program} gave no answer in {SECONDS} s.") from error
    except OSError as error:
        raise SquawkFailedError(f"{program} does not start: {error.strerror}.") from error
    if done.returncode not in {0, 1}:  # 1 is what it says where it found something
        told = done.stderr.decode(errors="replace").strip().splitlines()
        reason = told[0].rstrip(".") if told else "it said nothing"
        raise SquawkFailedError(f"{program} ended with {done.returncode}: {reason}.")
    return done.stdout.decode(errors="replace") or done.stderr.decode(errors="replace")


def _findings(output: str) -> Iterator[_Finding]:
    try:
        for each in json.loads(output):
            yield _finding(each)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        start = " ".join(output.split())[:80]
        raise SquawkFailedError(f"squawk's answer cannot be read: {start!r}.") from error


def _finding(each: dict[str, Any]) -> _Finding:
    return _Finding(
        rule=str(each["rule_name"]),
        line=int(each["line"]),
        message=" ".join(each["message"].split()),
        help=" ".join((each.get("help") or "").split()),
    )


def _risk(finding: _Finding, statements: Sequence[_Statement]) -> Risk:
    statement = next(each for each in reversed(statements) if each.line <= finding.line)
    rule, severity, rewrite = HAZARDS.get(finding.rule, (finding.rule, Severity.WARNING, ""))
    narrowed = (name for of, words, name in NARROWED if of == rule and words.search(statement.text))
    tables = lexing.ON_TABLE.finditer(" ".join(lexing.statements(statement.text)))
    return Risk(
        rule=next(narrowed, rule),
        severity=severity,
        reason=finding.message.replace("`", ""),
        rewrite=(finding.help or rewrite or f"See squawk's rule {finding.rule}.").replace("`", ""),
        source="squawk",
        operation=statement.operation,
        table=next((lexing.name_in(match, "table") for match in tables), ""),
    )
