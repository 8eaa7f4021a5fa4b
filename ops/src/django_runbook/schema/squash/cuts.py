"""Finds the fewest cuts with which the proof of a squash holds, and what may be left out of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.squash.plan import segments
from django_runbook.schema.squash.proof.prover import REPEATS, VENDORS, Prover, Shops, silent
from django_runbook.schema.squash.proof.results import Defect, Progress, Proof
from django_runbook.schema.squash.squash_plan import SquashPlan
from django_runbook.schema.squash.write.elision import elidables


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
    (or those of ``elide``) are left out where schema, state and rows stay equal: all at once, else
    those that each segment by itself can do without. A proof that still fails in the end is
    returned with its defects.
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
            failing = [
                segment
                for segment in plan.segments
                if len(segment.names) > 1 and any(each.segment == segment.name for each in defects)
            ]
            if not failing:
                return plan
            for segment in failing:
                self.caused += [each for each in defects if each.segment == segment.name]
                self._cut_up(segment.names)

    def _cut_up(self, names: Sequence[str]) -> None:
        """Cut a segment that fails into pieces that hold, each as long as it can be."""
        most = len(names) - 1
        while names:
            longest = self._longest(names, most)
            names = names[longest:]
            self.cuts |= dict.fromkeys(names[:1])
            most = len(names)

    def _longest(self, names: Sequence[str], most: int) -> int:
        """Return how many migrations hold together, from one, which is no squash, to ``most``."""
        low, high, middle = 1, most, most
        while low < high:
            if self._alone(names[:middle]):
                low = middle
            else:
                high = middle - 1
            middle = (low + high + 1) // 2
        return low

    def leave_out(self, wanted: Collection[str]) -> None:
        """Leave out all that can be: where not all at once, what each segment can do without."""
        if not wanted:
            return
        now = self.plan()
        before, files = self.prove(now), _files(now)
        shares = self._shares(now, _untried(before), wanted)
        for each in self._choices(shares):
            if more := [label for label in each if label not in self.elided]:
                plan = self.plan(*more)
                if _files(plan) <= files and _no_worse(plan, before, self.prove(plan)):
                    self.elided = (*self.elided, *more)
            if len(self.elided) == sum(map(len, shares.values())):
                return

    def _shares(
        self, now: SquashPlan, untried: Collection[str], wanted: Collection[str]
    ) -> dict[tuple[str, ...], list[str]]:
        """Return what is wanted by the names of its segment, where rows have tried that."""
        disk = self.loader.disk_migrations or {}
        shares: dict[tuple[str, ...], list[str]] = {}
        for segment in now.segments:
            own = elidables([disk[self.app_label, name] for name in segment.names]).values()
            labels = [label for label in own if label in wanted and segment.name not in untried]
            shares |= {segment.names: labels} if labels else {}
        return shares

    def _choices(self, shares: Mapping[tuple[str, ...], Sequence[str]]) -> Iterator[Sequence[str]]:
        """Yield what to leave out: the most first, and last what is of one segment alone."""
        yield [label for labels in shares.values() for label in labels]
        apart = [self._without(names, labels, ()) for names, labels in shares.items()]
        yield [label for labels in apart for label in labels]
        yield from apart

    def _without(
        self, names: Sequence[str], labels: Sequence[str], out: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Return what a segment by itself can do without: ``out``, and what holds of the labels.

        Those are tried together, and in halves where that fails.
        """
        if self._alone(names, *out, *labels):
            return (*out, *labels)
        if len(labels) == 1:
            return out
        half = len(labels) // 2
        return self._without(names, labels[half:], self._without(names, labels[:half], out))

    def _alone(self, names: Sequence[str], *elide: str) -> bool:
        """Tell whether migrations can be one file, and that file gives the same.

        With ``elide``, names and order of columns must be as they are without that, too.
        """
        one = partial(segments.plan, self.loader, self.app_label, names[0], names[-1])
        plan = one(elide=elide)
        if len(plan.segments) != 1 or plan.kept:
            return False
        proof = self.prove(plan)
        return _no_worse(plan, self.prove(one()), proof) if elide else proof.holds

    def prove(self, plan: SquashPlan, repeats: int = 0) -> Proof:
        """Prove a plan; what its segments have shown by themselves is tried once."""
        texts = tuple(segment.text for segment in plan.segments)
        if texts not in self.provers:
            self.provers[texts] = Prover(plan, self.alias, self.vendors, self.progress, self.shops)
        return self.provers[texts].prove(repeats)


def _files(plan: SquashPlan) -> int:
    return len(plan.segments) + len(plan.kept)


def _untried(proof: Proof) -> set[str]:
    """Return the segments that were not tried on rows of every table, on an engine at least."""
    return {name for engine in proof.engines for name in engine.untried}


def _no_worse(plan: SquashPlan, before: Proof, after: Proof) -> bool:
    """Tell whether nothing new differs: no defect, and no name or order of columns either.

    A database that stands before a segment leaves out the same, and has rows of its own: so a
    segment that was not tried on made-up rows of every table leaves nothing out.
    """
    untried = _untried(after)
    if any(segment.elided and segment.name in untried for segment in plan.segments):
        return False
    known, found = (
        {line for engine in proof.engines for line in (*engine.names, *engine.order)}
        for proof in (before, after)
    )
    return after.holds and found <= known
