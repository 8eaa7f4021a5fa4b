"""Where one plan is tried out on one engine: both ways, and what they have shown so far."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.history.failures import told
from django_runbook.schema.history.graph import Key
from django_runbook.schema.scratch.databases import Workshop, in_place
from django_runbook.schema.squash.proof import comparable_rows, comparison
from django_runbook.schema.squash.proof.blame import place
from django_runbook.schema.squash.proof.comparable_rows import Rows
from django_runbook.schema.squash.proof.comparison import Found
from django_runbook.schema.squash.proof.migration_paths import Path, mark, state_at
from django_runbook.schema.squash.proof.results import Check, Defect, EngineProof, Progress
from django_runbook.schema.squash.proof.upgrades import Jump, Upgrades
from django_runbook.schema.squash.squash_plan import SquashPlan
from django_runbook.schema.squash.write import staging


class OldPathError(Exception):
    """The old migrations themselves cannot be applied here: nothing can be compared."""


@dataclass(kw_only=True)
class EngineTrial:
    """One plan on one engine. What is a dict is ordered, each line once."""

    plan: SquashPlan
    upgrades: Upgrades
    workshop: Workshop
    alias: str
    progress: Progress
    defects: list[Defect] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)
    order: dict[str, None] = field(default_factory=dict)
    gaps: dict[str, None] = field(default_factory=dict)
    untried: dict[str, None] = field(default_factory=dict)
    runs: int = 0
    rows: int = 0
    seeded_rows: int = 0

    def __post_init__(self) -> None:
        self.old = Path(self.plan, self.alias, squashed=False)
        self.new = Path(self.plan, self.alias, squashed=True)
        self.tree = self.old.loader()

    def proof(self, digests: tuple[str, str], seconds: tuple[float, float]) -> EngineProof:
        """Return what the engine has shown."""
        return EngineProof(
            vendor=self.workshop.vendor,
            version=self.workshop.version,
            origin=self.workshop.origin,
            digests=digests,
            names=tuple(self.names),
            order=tuple(self.order),
            states=self.upgrades.states,
            runs=self.runs,
            rows=self.rows,
            seeded_rows=self.seeded_rows,
            seconds=seconds,
            gaps=tuple(self.gaps),
            untried=tuple(self.untried),
        )

    def run_old(self, database: BaseDatabaseWrapper, keys: Iterable[Key]) -> None:
        """Go the old way. Raises ``OldPathError`` with what the database or the code said."""
        try:
            self.old.run(database, keys)
        except Exception as error:
            raise OldPathError(told(error)) from error

    def run_new(self, database: BaseDatabaseWrapper, keys: Collection[Key]) -> str:
        """Go the squashed way; return what the database or the code said where it failed."""
        try:
            self.new.run(database, keys)
        except Exception as error:  # noqa: BLE001  # a migration may raise anything
            return told(error)
        with in_place(database, self.alias):
            recorded = MigrationRecorder(database).applied_migrations()
        left = [".".join(key) for key in keys if key not in recorded]
        return f"{left[0]} is not recorded as applied" if left else ""

    def compare(
        self,
        old: BaseDatabaseWrapper,
        new: BaseDatabaseWrapper,
        again: Callable[[], Rows],
        check: Check,
    ) -> Found:
        """Return what differs, and count the rows."""
        left = mark(old)
        self.rows += comparable_rows.count(left.rows)
        return comparison.found(left, mark(new), again, rows_check=check)

    def take(self, found: Found, jump: Jump | None, check: Check) -> None:
        """Keep what differs; from zero (no jump) only what no segment has shown by itself."""
        self.names.update(dict.fromkeys(found.names))
        self.order.update(dict.fromkeys(found.order))
        known = {each.what for each in self.defects}
        for table, defect in found.defects:
            if jump is not None or defect.what not in known:
                placed = replace(defect, place=self._place(jump, table, defect.what))
                self.defects.append(self._located(placed, jump, check))

    def failed(self, what: str, jump: Jump | None, check: Check) -> None:
        """Keep that the squashed way fails."""
        defect = Defect(check=Check.UPGRADE, what=what)
        self.defects.append(self._located(defect, jump, check))

    def _located(self, defect: Defect, jump: Jump | None, check: Check) -> Defect:
        at = "from zero"
        if jump is not None:
            before = self.upgrades.chain[: jump.start]
            at = f"after {'.'.join(before[-1])}" if before else "on an empty database"
            at += " with made-up rows" if check is Check.SEEDED_ROWS else ""
        segment = jump.segment if jump else ""
        return replace(defect, segment=segment, at=at, vendor=self.workshop.vendor)

    def _place(self, jump: Jump | None, table: str, what: str) -> str:
        segment = next((s for s in self.plan.segments if jump and s.name == jump.segment), None)
        if segment is None or jump is None or not table:
            return ""
        state = state_at(self.tree, self.upgrades.chain[: jump.end])
        return place(staging.staged(segment), state, table, what)
