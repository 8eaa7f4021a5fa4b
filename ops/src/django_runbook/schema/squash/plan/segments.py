"""Finds the fewest files that a range of migrations can become."""

from collections.abc import Collection, Sequence
from itertools import pairwise

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.plan import ranges
from django_runbook.schema.squash.plan.barriers import barriers, in_one
from django_runbook.schema.squash.plan.partition import Barrier, Part, allowed, fewest
from django_runbook.schema.squash.source.module import read
from django_runbook.schema.squash.squash_plan import Blocker, Segment, SquashPlan
from django_runbook.schema.squash.write.elision import elidables, elided
from django_runbook.schema.squash.write.operations import optimized
from django_runbook.schema.squash.write.replacement import before, remaining, segment

#: Why a file begins where no rule asks for it.
MORE = "could be in the file before, but there would be more files then"


def plan(
    loader: MigrationLoader,
    app_label: str,
    first: str | None = None,
    last: str | None = None,
    *,
    elide: Collection[str] = (),
    cuts: Collection[str] = (),
) -> SquashPlan:
    """Say what becomes of a range: segments with their text, what stays, and why it was cut.

    The files are the fewest that the rules allow; a proof may find more, and cut there by ``cuts``:
    names of migrations at which a new segment must begin. ``elide``: labels of
    ``elision.elidables``, data migrations to leave out. A blocker names the migration at which a
    file had to begin. Raises ``MigrationsError`` for a range that cannot be read, and for unknown
    names in ``elide`` and ``cuts``.
    """
    chain = ranges.chain(loader, app_label, first, last)
    known = elidables(chain).values()
    for label in sorted({*elide} - {*known}):
        choice = f"one of {', '.join(known)}" if known else "none of the range can be"
        raise MigrationsError(f"'{label}' cannot be left out: {choice}.")
    found = list(barriers(loader, chain, elide, cuts))
    check = _Check(loader, chain, elide, found)
    parts = fewest(len(chain), allowed(found), check)
    return SquashPlan(
        app_label=app_label,
        segments=_segments(loader, chain, parts, elide),
        kept=tuple(chain[begin].name for begin, end in parts if begin == end),
        blockers=_blockers(chain, parts, found),
    )


class _Check:
    """Tells whether a part can be one file once its operations are merged."""

    def __init__(
        self,
        loader: MigrationLoader,
        chain: Sequence[Migration],
        elide: Collection[str],
        found: list[Barrier],
    ) -> None:
        self._loader, self._chain, self._elide, self._found = loader, chain, elide, found
        self._sources = {one.name: read(type(one).__module__) for one in chain}

    def __call__(self, first: int, last: int) -> bool:
        part = self._chain[first : last + 1]
        state = before(self._loader, part)
        merged = optimized(part[0].app_label, remaining(part, elided(part, self._elide)), state)
        why = in_one(part, merged, self._sources, state)
        if why:
            self._found.append(Barrier(low=first, high=first, end=last, reason=why))
        return not why


def _segments(
    loader: MigrationLoader,
    chain: Sequence[Migration],
    parts: Sequence[Part],
    elide: Collection[str],
) -> tuple[Segment, ...]:
    """Return the files of all parts with more than one migration, each naming those before."""
    made: list[Segment] = []
    for begin, end in parts:
        if begin != end:
            renamed = {old: one.name for one in made for old in one.names}
            own = chain[begin : end + 1]
            made.append(segment(loader, chain[0].app_label, own, elide=elide, renamed=renamed))
    return tuple(made)


def _blockers(
    chain: Sequence[Migration], parts: Sequence[Part], found: Sequence[Barrier]
) -> tuple[Blocker, ...]:
    """Return for each file but the first why those before could not take its migration in."""
    blockers = []
    for (begin, end), _ in pairwise(parts):
        why = [barrier for barrier in found if barrier.forbids(begin, end + 1)]
        nearest = max(why, key=lambda barrier: barrier.end, default=None)
        blockers.append(
            Blocker(
                migration=chain[end + 1].name,
                reason=nearest.reason if nearest else MORE,
                fix=nearest.fix if nearest else "",
            )
        )
    return tuple(blockers)
