"""Reviews one migration at its stage: SQL, rules, squawk, rehearsal, and what the file accepts."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django_runbook.schema.database.sizes import Sizes
from django_runbook.schema.history.graph import file_of, is_installed
from django_runbook.schema.review.findings.acknowledgements import accepted
from django_runbook.schema.review.findings.at_sizes import at_sizes
from django_runbook.schema.review.findings.merge import merged
from django_runbook.schema.review.findings.severity import judged
from django_runbook.schema.review.findings.topics import FAILING
from django_runbook.schema.review.plan import MigrationPlan, Rehearsal, Risk, Severity
from django_runbook.schema.review.rehearsal.rehearsal import ROWS, rehearse
from django_runbook.schema.review.rules.checking import risks
from django_runbook.schema.review.sql.squawk import SquawkFailedError, SquawkMissingError, squawk
from django_runbook.schema.review.sql.statements import PYTHON, Collected, statements
from django_runbook.schema.scratch.stages import Stage


class Shares:
    """Adds up seconds by what they were spent on, in the order of first use."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count the body's time as ``name``'s."""
        began = self._clock()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._clock() - began


#: The rule that a migration breaks that cannot be applied to a new database.
FAILS = "fails-when-empty"
FAILS_ON_ROWS = "rehearsal-failed"
#: Rules that are not those of the rules' catalogue nor squawk's.
KNOWN = (
    FAILS,
    FAILS_ON_ROWS,
    "rewrites-table",
    "scans-table",
    "changes-every-row",
    "changes-many-rows",
)
NOT_OURS = (
    "It is an installed package's, and not this repository's to change: apply it when little runs."
)
NEW = "the plan makes the table, and nobody uses it yet"


@dataclass(frozen=True, kw_only=True)
class Look:
    """How closely to look.

    ``rows`` are made up for each table, and with 0 nothing is rehearsed; ``sizes`` are those of
    the tables in production.
    """

    rows: int = ROWS
    sizes: Sizes | None = None


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """The plan of one migration; ``failed`` where it cannot be applied to a new database.

    ``notes`` say what could not be looked at.
    """

    plan: MigrationPlan
    failed: bool
    notes: tuple[str, ...]


def reviewed(stage: Stage, look: Look, shares: Shares, fresh: set[str]) -> Reviewed:
    """Review a stage's migration; the stage's database stays as it was.

    ``fresh`` are the tables that the plan has made before, and grows by this migration's: nobody
    uses them yet, and they are empty when their turn comes. A danger in the migration of an
    installed package is a warning, for nobody here can change or accept it; that it fails stays a
    danger.
    """
    notes: list[str] = []
    empty = frozenset(fresh)
    migration, vendor = stage.migration, stage.connection.vendor
    with shares.of("SQL"):
        collected = statements(stage)
    with shares.of("rules"):
        found = risks(migration, stage.state, stage.connection, fresh)
    if vendor == "postgresql":
        with shares.of("squawk"):
            found = merged(found, _squawk(collected, stage, notes))
    rehearsal = None
    if look.rows:
        with shares.of("rehearsal"):
            rehearsal = (
                rehearse(stage, look.rows, empty=empty) if collected.touches else Rehearsal()
            )
        found = judged(found, rehearsal, collected.operations, vendor=vendor)
    found = _on_new_tables(_with_failure(found, collected), empty)
    if look.sizes:
        found = at_sizes(found, rehearsal, look.sizes)
    file = file_of(migration)
    plan = MigrationPlan(
        app_label=migration.app_label,
        name=migration.name,
        file=file,
        atomic=migration.atomic,
        operations=collected.operations,
        closing=collected.closing,
        risks=_installed(found) if is_installed(file) else accepted(file, found, known=KNOWN),
        rehearsal=rehearsal,
    )
    return Reviewed(plan=plan, failed=bool(collected.error), notes=tuple(notes))


def _squawk(collected: Collected, stage: Stage, notes: list[str]) -> tuple[Risk, ...]:
    given: list[tuple[int | None, str]] = [
        (plan.index, text) for plan in collected.operations for text in _sql(plan.statements)
    ]
    given += [(None, text) for text in collected.closing]
    try:
        return squawk(given, atomic=stage.migration.atomic, version=stage.workshop.version)
    except (SquawkMissingError, SquawkFailedError) as error:
        notes.append(f"{error} So it looked at nothing.")
        return ()


def _sql(texts: Iterable[str]) -> Iterator[str]:
    """Yield the statements that are whole: Python's own may lack their values."""
    python = False
    for text in texts:
        python = python or text.startswith(PYTHON)
        if not text.startswith(PYTHON) and not (python and "%s" in text):
            yield text


def _with_failure(found: tuple[Risk, ...], collected: Collected) -> tuple[Risk, ...]:
    """Say once that a migration fails on empty tables, which made-up rows only show again."""
    if not collected.error:
        return found
    last = len(collected.operations)
    at = collected.failed if collected.failed is not None else last
    here = None if at >= last else at
    if any(risk.operation == here and risk.rule in FAILING and risk.showed for risk in found):
        return found
    failure = Risk(
        rule=FAILS,
        severity=Severity.DANGER,
        reason=f"It fails on a new database, where its parents are applied and the tables are "
        f"empty: {collected.error}.",
        rewrite="Let it pass where there are no rows.",
        source="rehearsal",
        operation=here,
    )
    kept = [risk for risk in found if risk.rule != FAILS_ON_ROWS]
    return tuple(
        sorted(
            [*kept, failure], key=lambda risk: last if risk.operation is None else risk.operation
        )
    )


def _on_new_tables(found: Iterable[Risk], fresh: frozenset[str]) -> tuple[Risk, ...]:
    """Lower what squawk and the rehearsal, who know no plan, say of tables that it has made."""
    return tuple(
        replace(risk, severity=min(risk.severity, Severity.NOTE), showed=NEW)
        if risk.table in fresh and risk.rule != FAILS
        else risk
        for risk in found
    )


def _installed(found: Iterable[Risk]) -> tuple[Risk, ...]:
    return tuple(
        replace(
            risk,
            severity=risk.severity if risk.rule == FAILS else min(risk.severity, Severity.WARNING),
            rewrite=NOT_OURS if risk.severity > Severity.NOTE else risk.rewrite,
        )
        for risk in found
    )
