"""Finds the fewest cuts with which the proof of a squash holds, and what may be left out of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from django.db.migrations.loader import MigrationLoader

from ops.schema.squashing import segments
from ops.schema.squashing.elision import elidables
from ops.schema.squashing.proofs import Defect, Progress, Proof
from ops.schema.squashing.proving import REPEATS, VENDORS, Prover, Shops, silent
from ops.schema.squashing.types import Segment, SquashPlan


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """A plan with its proof; ``cuts`` are the migrations at which it was cut for the proof's sake.

    ``caused`` are the defects that made the cuts, ``kept_in`` the elidable data migrations that
    had to stay.
    """

    plan: SquashPlan
    proof: Proof
    cuts: tuple[str, ...] = ()
    caused: tuple[Defect, ...] = ()
    kept_in: tuple[str, ...] = ()


def proved_plan(
    loader: MigrationLoader,
    app_label: str,
    first: str | None = None,
    last: str | None = None,
    *,
    alias: str,
    vendors: Collection[str] = VENDORS,
    cuts: Collection[str] = (),
    elide: Collection[str] | None = None,
    progress: Progress = silent,
    repeats: int = REPEATS,
) -> Repaired:
    """Plan a squash, and cut it where the proof fails until it holds, with the fewest cuts.

    Each segment that fails is cut behind the longest beginning of it that holds, found by halving:
    that gives the fewest files where a part of what holds holds as well. Elidable data migrations
    (or those of ``elide``) are left out one by one, each only where schema, state and rows stay
    equal. A proof that still fails in the end is returned with its defects.
    """
    with Shops(alias) as shops:
        search = _Search(loader, app_label, first, last, alias, vendors, progress, shops)
        search.cuts = dict.fromkeys(cuts)
        plan = search.cut()
        tried = bool(search.prove(plan).engines)
        wanted = elidable(loader, plan) if elide is None else tuple(elide)
        wanted = wanted if tried else ()  # where nothing is tried, nothing differs either
        search.leave_out(wanted)
        plan = search.plan()
        return Repaired(
            plan=plan,
            proof=search.prove(plan, repeats),
            cuts=tuple(name for name in search.cuts if name not in cuts),
            caused=tuple(search.caused),
            kept_in=tuple(each for each in wanted if each not in search.elided),
        )


def elidable(loader: MigrationLoader, plan: SquashPlan) -> tuple[str, ...]:
    """Return the data migrations of a plan that say that they may be left out."""
    disk = loader.disk_migrations or {}
    names = [name for segment in plan.segments for name in segment.names]
    return tuple(elidables([disk[plan.app_label, name] for name in names]).values())


@dataclass
class _Search:
    loader: MigrationLoader
    app_label: str
    first: str | None
    last: str | None
    alias: str
    vendors: Collection[str]
    progress: Progress
    shops: Shops
    cuts: dict[str, None] = field(default_factory=dict)
    elided: tuple[str, ...] = ()
    caused: list[Defect] = field(default_factory=list)
    provers: dict[tuple[str, ...], Prover] = field(default_factory=dict)

    def plan(self, *more: str) -> SquashPlan:
        """Return the plan with the cuts so far, and more left out."""
        return segments.plan(
            self.loader,
            self.app_label,
            self.first,
            self.last,
            elide=(*self.elided, *more),
            cuts=tuple(self.cuts),
        )

    def cut(self) -> SquashPlan:
        """Cut until each segment holds by itself; return the plan."""
        while True:
            plan = self.plan()
            defects = self.prove(plan).defects
            failing = next(
                (s for s in plan.segments if any(each.segment == s.name for each in defects)), None
            )
            if failing is None or len(failing.names) == 1:
                return plan
            self.caused += [each for each in defects if each.segment == failing.name]
            self.cuts[failing.names[self._longest(failing)]] = None

    def leave_out(self, wanted: Sequence[str]) -> None:
        """Leave out all that can be: all at once where that holds, else one after the other."""
        if not wanted:
            return
        now = self.plan()
        before, files = self.prove(now), _files(now)
        for each in [wanted, *([name] for name in wanted if len(wanted) > 1)]:
            if len(self.elided) == len(wanted):
                return
            plan = self.plan(*each)
            if _files(plan) <= files and _no_worse(before, self.prove(plan)):
                self.elided = (*self.elided, *each)

    def _longest(self, failing: Segment) -> int:
        """Return how many migrations of a segment hold together, at least one."""
        low, high = 1, len(failing.names) - 1  # the whole fails, one alone is no squash
        while low < high:
            middle = (low + high + 1) // 2
            if self._holds(failing.names[:middle]):
                low = middle
            else:
                high = middle - 1
        return low

    def _holds(self, names: Sequence[str]) -> bool:
        """Tell whether migrations can be one file, and that file gives the same."""
        plan = segments.plan(self.loader, self.app_label, names[0], names[-1])
        return len(plan.segments) == 1 and not plan.kept and self.prove(plan).holds

    def prove(self, plan: SquashPlan, repeats: int = 0) -> Proof:
        """Prove a plan; what its segments have shown by themselves is tried once."""
        texts = tuple(segment.text for segment in plan.segments)
        if texts not in self.provers:
            self.provers[texts] = Prover(plan, self.alias, self.vendors, self.progress, self.shops)
        return self.provers[texts].prove(repeats)


def _files(plan: SquashPlan) -> int:
    return len(plan.segments) + len(plan.kept)


def _no_worse(before: Proof, after: Proof) -> bool:
    """Tell whether nothing new differs: no defect, and no name or order of columns either."""
    known, found = (
        {line for engine in proof.engines for line in (*engine.names, *engine.order)}
        for proof in (before, after)
    )
    return after.holds and found <= known
