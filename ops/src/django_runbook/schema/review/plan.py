"""What a plan is made of: frozen, and printed elsewhere."""

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path


class Severity(IntEnum):
    """How bad a risk is. A danger that nobody has accepted fails the review."""

    NOTE = 1
    WARNING = 2
    DANGER = 3


@dataclass(frozen=True, kw_only=True)
class Risk:
    """One way in which a migration can hurt.

    ``operation`` is the index in the migration's operations, None where it is the migration itself.
    ``source`` is who found it: ``rules``, ``squawk`` or ``rehearsal``. ``showed`` is what the
    rehearsal showed about it, where that changed the severity; ``accepted`` the reason that stands
    beside the operation in the file; ``at_size`` what it means for tables of production's size.
    """

    rule: str
    severity: Severity
    reason: str
    rewrite: str
    source: str
    operation: int | None = None
    table: str = ""
    showed: str = ""
    accepted: str = ""
    at_size: str = ""

    @property
    def fails(self) -> bool:
        """Whether the review fails because of it."""
        return self.severity is Severity.DANGER and not self.accepted


@dataclass(frozen=True, kw_only=True)
class OperationPlan:
    """One operation, as Django describes it, and its SQL at the parents' state."""

    index: int
    description: str
    statements: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TableEffect:
    """What a rehearsed operation did to one table that was there before it.

    ``lock`` is PostgreSQL's strongest lock mode on it (``AccessExclusiveLock``), empty for none.
    ``scanned`` and ``changed`` are numbers of rows, of ``rows`` that were made up.
    """

    operation: int
    table: str
    rows: int
    lock: str = ""
    rewritten: bool = False
    scanned: int = 0
    changed: int = 0


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What applying a migration to tables with made-up rows did, before it was rolled back.

    ``error`` is what the database or the code said where it failed, at the operation ``failed``;
    ``gaps`` what could not be rehearsed, and why.
    """

    effects: tuple[TableEffect, ...] = ()
    failed: int | None = None
    error: str = ""
    gaps: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class MigrationPlan:
    """A pending migration. ``closing`` is the SQL that Django holds back to the end."""

    app_label: str
    name: str
    file: Path
    atomic: bool
    operations: tuple[OperationPlan, ...]
    closing: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()
    rehearsal: Rehearsal | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every pending migration in the order of applying.

    ``vendor``, ``version`` and ``origin`` say on which scratch database it was made; ``notes`` what
    the reader must know (no PostgreSQL, say); ``seconds`` where the time went.
    """

    vendor: str
    version: str
    origin: str
    migrations: tuple[MigrationPlan, ...]
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def failing(self) -> tuple[Risk, ...]:
        """The dangers that nobody has accepted."""
        return tuple(risk for plan in self.migrations for risk in plan.risks if risk.fails)
