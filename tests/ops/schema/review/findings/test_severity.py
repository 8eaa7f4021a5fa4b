"""The rehearsal sets the severity: it confirms, disproves, and finds what no linter finds."""

from typing import Any

import pytest

from django_runbook.schema.review.findings.severity import judged, spelled
from django_runbook.schema.review.plan import OperationPlan, Rehearsal, Risk, Severity, TableEffect

EXCLUSIVE = "AccessExclusiveLock"
OPERATIONS = tuple(
    OperationPlan(index=index, description="", statements=("SELECT 1",)) for index in range(3)
)
EVERY = "changes every row of thing in one transaction: they stay locked to its end"
CLEARED = "rehearsed: no rewrite, no scan"


def risk(rule: str, *, operation: int | None = 0, table: str = "thing", **other: Any) -> Risk:
    """Return what a linter found: a danger, unless said otherwise."""
    values = {"severity": Severity.DANGER, "source": "rules", **other}
    return Risk(rule=rule, operation=operation, table=table, reason="why", rewrite="how", **values)


def effect(*, operation: int = 0, table: str = "thing", **other: Any) -> TableEffect:
    """Return what an operation did to a table of 1,000 rows, under the strongest lock."""
    values = {"rows": 1000, "lock": EXCLUSIVE, **other}
    return TableEffect(operation=operation, table=table, **values)


def shown(risks: tuple[Risk, ...]) -> list[tuple[int | None, str, str, str]]:
    """Return the operation, the rule, the severity and what the rehearsal showed or is about."""
    return [(one.operation, one.rule, one.severity.name, one.showed or one.reason) for one in risks]


def look(*effects: TableEffect, risks: tuple[Risk, ...] = (), **other: Any) -> list[Any]:
    """Judge risks by a rehearsal."""
    vendor = other.pop("vendor", "postgresql")
    rehearsal = Rehearsal(effects=effects, **other)
    return shown(judged(risks, rehearsal, OPERATIONS, vendor=vendor))


@pytest.mark.parametrize("rule", ["change-type", "set-not-null", "add-index"])
def test_a_lock_without_work_clears_a_linter(rule: str) -> None:
    """A short lock on a table with rows, without rewrite or scan, makes a note of a danger."""
    assert look(effect(), risks=(risk(rule),)) == [(0, rule, "NOTE", CLEARED)]


def test_an_operation_that_touches_no_table_is_cleared() -> None:
    """What is done to a table that the migration itself makes holds nobody up."""
    found = look(effect(operation=1), risks=(risk("add-index", table="new"),))
    assert found == [(0, "add-index", "NOTE", CLEARED)]


@pytest.mark.parametrize(
    ("effects", "other"),
    [
        ((effect(rows=0),), {}),
        ((effect(scanned=200),), {}),
        ((effect(changed=100),), {}),
        ((effect(),), {"vendor": "sqlite"}),
        ((), {"vendor": "sqlite"}),
    ],
)
def test_what_proves_nothing_clears_nothing(
    effects: tuple[TableEffect, ...], other: dict[str, Any]
) -> None:
    """A table without rows, a scan of a part, SQLite: the finding stays as it is."""
    found = look(*effects, risks=(risk("change-type"),), **other)
    assert (0, "change-type", "DANGER", "why") in found


@pytest.mark.parametrize("rule", ["rename-column", "drop-table", "add-not-null", "imports-models"])
def test_what_old_code_meets_is_not_disproved(rule: str) -> None:
    """No rehearsal shows what code that still runs asks for."""
    assert look(effect(), risks=(risk(rule),)) == [(0, rule, "DANGER", "why")]


def test_a_table_under_another_name_disproves_nothing() -> None:
    """Where the risk names the new name of a table, what was done to the old one counts."""
    found = look(effect(table="old", scanned=1000), risks=(risk("add-foreign-key", table="new"),))
    assert found == [
        (
            0,
            "add-foreign-key",
            "DANGER",
            (
                "rehearsed: reads all rows of old under ACCESS EXCLUSIVE: nobody reads or writes "
                "it meanwhile"
            ),
        )
    ]


def test_findings_of_its_own() -> None:
    """What no linter named is a risk of the rehearsal's, each table and kind once."""
    found = look(
        effect(rewritten=True, scanned=1000),
        effect(operation=1, lock="ShareLock", scanned=1000),
        effect(operation=1, lock="RowExclusiveLock", changed=150, table="other"),
        effect(operation=2, lock="RowExclusiveLock", changed=1000, scanned=1000),
        effect(operation=2, table="other", changed=1000, scanned=1000),
        effect(operation=2, table="empty", rows=0, scanned=0),
        effect(operation=2, table="read", lock="AccessShareLock", scanned=1000),
    )
    assert found == [
        (
            0,
            "rewrites-table",
            "DANGER",
            (
                "Rewrites thing with its indexes under ACCESS EXCLUSIVE: nobody reads or writes it "
                "meanwhile."
            ),
        ),
        (
            1,
            "scans-table",
            "DANGER",
            "Reads all rows of thing under SHARE: nobody writes meanwhile.",
        ),
        (
            1,
            "changes-many-rows",
            "WARNING",
            "Changes 150 of 1,000 rows of other in one transaction.",
        ),
        (
            2,
            "changes-every-row",
            "DANGER",
            "Changes every row of thing in one transaction: they stay locked to its end.",
        ),
        (
            2,
            "scans-table",
            "DANGER",
            "Reads all rows of other under ACCESS EXCLUSIVE: nobody reads or writes it meanwhile.",
        ),
        (
            2,
            "changes-every-row",
            "DANGER",
            (
                "Changes every row of other in one transaction under ACCESS EXCLUSIVE: they stay "
                "locked to its end."
            ),
        ),
    ]


def test_a_linters_finding_and_the_rehearsals_are_one() -> None:
    """The same thing at the same operation is told once, with what was shown and the worse."""
    found = look(
        effect(changed=1000, lock="RowExclusiveLock"),
        effect(operation=1, rewritten=True),
        risks=(
            risk("changes-whole-table", severity=Severity.WARNING),
            risk("change-type", operation=1),
            risk("rename-column", operation=1),
        ),
    )
    assert found == [
        (
            0,
            "changes-whole-table",
            "DANGER",
            f"rehearsed: {EVERY}",
        ),
        (
            1,
            "change-type",
            "DANGER",
            (
                "rehearsed: rewrites thing with its indexes under ACCESS EXCLUSIVE: nobody reads "
                "or writes it meanwhile"
            ),
        ),
        (1, "rename-column", "DANGER", "why"),
    ]


def test_batches_change_many_rows_and_no_transaction_does() -> None:
    """Statements with transactions of their own are no change of many rows at once."""
    batch = effect(lock="RowExclusiveLock", changed=500)
    assert look(batch, batch) == []


@pytest.mark.parametrize(
    ("error", "severity"),
    [
        ('IntegrityError: could not create unique index "x"', "DANGER"),
        ('IntegrityError: check constraint "x" of relation "t" is violated by some row', "WARNING"),
        ("IntegrityError: CHECK constraint failed: x", "WARNING"),
        ("TypeError: no (0002.py, line 3)", "DANGER"),
        ("TypeError: no; rows without NULL, duplicates and extremes pass", "WARNING"),
    ],
)
def test_a_failure_is_a_finding(error: str, severity: str) -> None:
    """What the database refuses is a danger; what rests on arbitrary values is a warning."""
    assert look(failed=1, error=error) == [
        (1, "rehearsal-failed", severity, f"Fails on made-up rows: {error}.")
    ]


def test_a_failure_that_a_linter_foresaw_is_told_once() -> None:
    """A unique index that fails on duplicates is what the linter warned of."""
    found = look(failed=0, error="IntegrityError: no", risks=(risk("add-unique"),))
    assert found == [
        (0, "add-unique", "DANGER", "rehearsed: fails on made-up rows: IntegrityError: no")
    ]


def test_nothing_is_cleared_behind_a_failure_without_evidence() -> None:
    """Operations after a failure are cleared only by effects that were measured."""
    risks = (risk("add-index", operation=0), risk("add-index", operation=2))
    error = "IntegrityError: no"
    unknown = look(failed=1, error=error, risks=risks)
    assert [one[2] for one in unknown] == ["NOTE", "DANGER", "DANGER"]
    measured = look(effect(operation=2), failed=1, error=error, risks=risks)
    assert [one[2] for one in measured] == ["NOTE", "DANGER", "NOTE"]


def test_sqlite_builds_a_table_anew() -> None:
    """On SQLite a new table is a note, for every change there makes one."""
    found = look(effect(lock="", rewritten=True), vendor="sqlite")
    said = "SQLite builds thing anew: nobody writes meanwhile."
    assert found == [(0, "rewrites-table", "NOTE", said)]


def test_locks_are_spelled_as_sql_does() -> None:
    """A mode is written as in LOCK TABLE."""
    assert [spelled(mode) for mode in (EXCLUSIVE, "ShareRowExclusiveLock", "")] == [
        "ACCESS EXCLUSIVE",
        "SHARE ROW EXCLUSIVE",
        "",
    ]
