"""Lets the rehearsal say how bad a finding is: it confirms, disproves, and finds what none names.

What old code meets while a release is rolled out (renamed, dropped) no rehearsal can disprove.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django_runbook.schema.review.findings.topics import CHANGING, FAILING, LONG
from django_runbook.schema.review.plan import OperationPlan, Rehearsal, Risk, Severity, TableEffect
from django_runbook.schema.review.rehearsal.locks import NO_READS, NO_WRITES
from django_runbook.schema.review.rehearsal.rows.filling import ONLY_HOSTILE

#: Less than one row in so many is read or changed: it does not grow with the table.
FEW = 10
BATCHES = "Change the rows in batches, in a migration of its own with atomic = False."
LATER = (
    "Set a lock_timeout, and do what can be done without the lock first: CONCURRENTLY, NOT VALID."
)


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """What one operation did to one table, where that is a risk."""

    rule: str
    severity: Severity
    did: str
    rewrite: str
    table: str
    operation: int

    def risk(self) -> Risk:
        return Risk(
            rule=self.rule,
            severity=self.severity,
            reason=f"{self.did[0].upper()}{self.did[1:]}.",
            rewrite=self.rewrite,
            source="rehearsal",
            operation=self.operation,
            table=self.table,
        )


def judged(
    risks: Sequence[Risk],
    rehearsal: Rehearsal,
    operations: Sequence[OperationPlan],
    *,
    vendor: str = "postgresql",
) -> tuple[Risk, ...]:
    """Return the risks with the severity that the rehearsal shows, and the rehearsal's own.

    ``operations`` are the migration's: their order is the result's. A finding is lowered to a note
    only where PostgreSQL ran its operation on rows and did nothing of what it claims; SQLite proves
    nothing about PostgreSQL's locks.
    """
    found = list(_findings(rehearsal))
    left = list(found)
    made = []
    for risk in risks:
        about = _about(risk, rehearsal)
        same = [finding for finding in found if _same(finding, risk, about)]
        if same:
            left = [finding for finding in left if finding not in same]
            made.append(_confirmed(risk, same))
        elif vendor == "postgresql" and _is_disproved(risk, rehearsal, about):
            showed = "rehearsed: no rewrite, no scan"
            made.append(replace(risk, severity=Severity.NOTE, showed=showed))
        else:
            made.append(risk)
    made += [finding.risk() for finding in left]
    last = len(operations)
    return tuple(sorted(made, key=lambda r: last if r.operation is None else r.operation))


def _about(risk: Risk, rehearsal: Rehearsal) -> tuple[TableEffect, ...]:
    """Return the effects that a risk is about: those on its table.

    All of its operation where it names no table, or one that was not there: it may be another name
    of one that was.
    """
    effects = [e for e in rehearsal.effects if risk.operation in {None, e.operation}]
    return tuple(e for e in effects if e.table == risk.table) or tuple(effects)


def _same(finding: _Finding, risk: Risk, about: Sequence[TableEffect]) -> bool:
    """Tell whether a finding and a risk are about one thing."""
    if risk.operation != finding.operation:
        return False
    if finding.rule == "rehearsal-failed":
        return risk.rule in FAILING
    topic = CHANGING if finding.rule in CHANGING else LONG
    return risk.rule in topic and finding.table in {effect.table for effect in about}


def _confirmed(risk: Risk, findings: Sequence[_Finding]) -> Risk:
    showed = "rehearsed: " + "; ".join(finding.did for finding in findings)
    severity = max(risk.severity, *(finding.severity for finding in findings))
    return replace(risk, severity=severity, showed=showed)


def _is_disproved(risk: Risk, rehearsal: Rehearsal, effects: Sequence[TableEffect]) -> bool:
    if risk.rule not in LONG or risk.severity is Severity.NOTE:
        return False
    stopped = rehearsal.failed
    reached = stopped is None or (risk.operation is not None and risk.operation < stopped)
    if not effects:
        return reached  # it touched no table that was there
    # without rows no number is less than none: nothing is proved then
    ran = reached or (stopped != risk.operation and risk.operation is not None)
    return ran and all(
        not effect.rewritten
        and effect.scanned * FEW < effect.rows
        and effect.changed * FEW < effect.rows
        for effect in effects
    )


def _findings(rehearsal: Rehearsal) -> Iterator[_Finding]:
    worst: dict[tuple[int, str, bool], _Finding] = {}
    for effect in rehearsal.effects:
        others = [e for e in rehearsal.effects if _place(e) == _place(effect)]
        for finding in _of(effect, alone=len(others) == 1):
            key = (*_place(effect), finding.rule in CHANGING)
            if key not in worst or finding.severity > worst[key].severity:
                worst[key] = finding
    yield from worst.values()
    if rehearsal.error:
        yield _failure(rehearsal)


def _place(effect: TableEffect) -> tuple[int, str]:
    return effect.operation, effect.table


def _of(effect: TableEffect, *, alone: bool) -> Iterator[_Finding]:
    rows, table = effect.rows, effect.table
    waiting = {NO_READS: "nobody reads or writes it", **dict.fromkeys(NO_WRITES, "nobody writes")}
    lock = spelled(effect.lock)
    if effect.rewritten and not lock:
        did = f"SQLite builds {table} anew: nobody writes meanwhile"
        yield _finding(effect, "rewrites-table", Severity.NOTE, did, "Nothing to do.")
    elif effect.rewritten:
        did = f"rewrites {table} with its indexes under {lock}: nobody reads or writes it meanwhile"
        yield _finding(effect, "rewrites-table", Severity.DANGER, did, LATER)
    elif rows and effect.scanned >= rows and effect.lock in waiting:
        did = f"reads all rows of {table} under {lock}: {waiting[effect.lock]} meanwhile"
        yield _finding(effect, "scans-table", Severity.DANGER, did, LATER)
    if rows and effect.changed >= rows:
        under = f" under {lock}" if effect.lock in waiting else ""
        did = f"changes every row of {table} in one transaction{under}: they stay locked to its end"
        yield _finding(effect, "changes-every-row", Severity.DANGER, did, BATCHES)
    elif rows and effect.changed * FEW >= rows and alone:
        did = f"changes {effect.changed:,} of {rows:,} rows of {table} in one transaction"
        yield _finding(effect, "changes-many-rows", Severity.WARNING, did, BATCHES)


def _finding(
    effect: TableEffect, rule: str, severity: Severity, did: str, rewrite: str
) -> _Finding:
    return _Finding(
        rule=rule,
        severity=severity,
        did=did,
        rewrite=rewrite,
        table=effect.table,
        operation=effect.operation,
    )


def _failure(rehearsal: Rehearsal) -> _Finding:
    """Return that it failed.

    Made-up rows that a CHECK refuses say little about the real ones, and so do duplicates and NULLs
    that the migration's code does not expect.
    """
    error = rehearsal.error
    arbitrary = "check constraint" in error.lower() or error.endswith(ONLY_HOSTILE)
    return _Finding(
        rule="rehearsal-failed",
        severity=Severity.WARNING if arbitrary else Severity.DANGER,
        did=f"fails on made-up rows: {rehearsal.error}",
        rewrite="Ask the real database for rows like these, and mend them in an earlier migration.",
        table="",
        operation=rehearsal.failed or 0,
    )


def spelled(lock: str) -> str:
    """Return a lock's mode as SQL spells it: ``ACCESS EXCLUSIVE``."""
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in lock)
    return words.removesuffix(" Lock").strip().upper()
