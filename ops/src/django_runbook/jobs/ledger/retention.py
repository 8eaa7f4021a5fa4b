"""What the ledger need not keep any longer, and what something still stands on.

A run is kept for so many days after its end, and can be undone so long. After that it goes, and its
batches, the runs that undid it, and what it claimed in vain with it. These stay:

- what runs, or is being undone: by an undo that is young, runs, or was cut short;
- what an undo stands on: of a run that can still be undone every later batch of the same model is
  kept, or rows would be put back that others have changed since;
- without its batches, what a job is judged by: its newest run and its ten newest successes, the
  run that its next one continues, one that was never made good, and those of its median.
"""

import datetime
from collections.abc import Collection, Iterator

from django.db import connections, transaction
from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.reading import outcomes, queries
from django_runbook.jobs.ledger.slots import SETTLED
from django_runbook.jobs.models import Batch, FailedRow, Run, Slot, Status

#: Batches of one statement.
TOGETHER = 1_000
END = Coalesce("finished", "heartbeat")
#: Ends of an undo that has put back only a part.
CUT_SHORT = (Status.STOPPED, Status.FAILED, Status.LOST)


def expired(before: datetime.datetime) -> QuerySet[Run]:
    """Return the runs that can no longer be undone: those that ended before a time (aware).

    Undos are not among them: each goes with the run that it undid.
    """
    found = _roots().filter(_over(before))
    for model, first in held(before).items():
        found = found.exclude(model=model, pk__gte=first)
    return found


def held(before: datetime.datetime) -> dict[str, int]:
    """Return of each model the oldest run that can still be undone: no later one goes before it.

    Nor does an earlier one whose undo is among the later ones.
    """
    first: dict[str, int] = {}
    for model in queries.models():
        keeps = _roots().filter(~_over(before), model=model)
        keeps = keeps.filter(Q(changed__gt=0) | Q(status=Status.RUNNING))
        oldest = keeps.order_by("pk").values_list("pk", flat=True).first()
        while oldest is not None:
            first[model] = oldest
            across = Run.objects.filter(model=model, undoes__lt=oldest, pk__gt=oldest)
            oldest = across.aggregate(oldest=Min("undoes"))["oldest"]
    return first


def half_undone(before: datetime.datetime) -> list[int]:
    """Return the runs that would go, but for an undo that was cut short, the oldest first."""
    undos = queries.undos().filter(status__in=CUT_SHORT)
    cut = _roots().filter(_ended(before), _cut_short(), pk__in=undos.values("undoes"))
    return list(cut.order_by("pk").values_list("pk", flat=True))


def needed(job: str) -> set[int]:
    """Return the runs by which a job is judged, however old they are."""
    roots = _roots().filter(job=job).order_by("-pk").only("pk")
    successes = roots.filter(status=Status.SUCCEEDED)
    shown = roots.exclude(status=Status.SKIPPED)
    began = shown.exclude(status=Status.REFUSED)
    whole = successes.filter(covers=None).first()
    since = successes.filter(covers__isnull=False, pk__gt=whole.pk if whole else 0)
    kept = [each.first() for each in (roots, shown, began, since.order_by("-covers", "-pk"))]
    kept += [whole, runs.unfinished(job, None), outcomes.unsettled(job)]
    kept += [*successes[: queries.NIGHTS], *queries.last_found(job, queries.NIGHTS)]
    return {run.pk for run in kept if run}


def all_needed() -> frozenset[int]:
    """Return the runs by which any job is judged."""
    return frozenset(pk for job in queries.job_names() for pk in needed(job))


def removable(pks: Collection[int], before: datetime.datetime) -> set[int]:
    """Return which of these runs may go together: each with its undos, an undo with its run.

    None goes before an older one that has its batches: an undo of that would miss what it did.
    """
    asked = Run.objects.filter(pk__in=pks).annotate(root=Coalesce("undoes", "pk"))
    roots = dict(asked.values_list("pk", "root"))
    over = dict(expired(before).filter(pk__in=set(roots.values())).values_list("pk", "job"))
    kept = {pk for job in set(over.values()) for pk in needed(job)}
    going = _in_order(over.keys() - kept)
    return {pk for pk, root in roots.items() if root in going}


def remove(pks: Collection[int], before: datetime.datetime) -> int:
    """Remove runs, with their undos, in one transaction; return how many.

    Raises ``RefusedError`` where one of them may not go.
    """
    with transaction.atomic():
        lock(pks)
        if stays := sorted(set(pks) - removable(pks, before)):
            raise RefusedError(f"Refused: run {stays[0]} is still needed; nothing was removed.")
        roots = {run.undoes_id or run.pk for run in Run.objects.filter(pk__in=pks)}
        for undos in (False, True):
            while remove_batches(roots, TOGETHER, undos=undos):
                pass
        return remove_runs(roots)


def lock(pks: Collection[int]) -> None:
    """Lock runs, in the caller's transaction: nobody begins to undo them meanwhile."""
    rows = Run.objects.filter(pk__in=pks).order_by("pk")
    if connections[rows.db].features.has_select_for_update:
        list(rows.select_for_update().values_list("pk"))


def pages(found: QuerySet[Run], size: int) -> Iterator[list[int]]:
    """Yield the numbers of some runs, the oldest first, page by page.

    The pages lie between the oldest and the newest of now, so that what is young is not read.
    """
    oldest, newest = _ends(found)
    while oldest is not None:
        page = list(
            found.filter(pk__gte=oldest, pk__lte=newest)
            .order_by("pk")
            .values_list("pk", flat=True)[:size]
        )
        if page:
            yield page
        oldest = page[-1] + 1 if len(page) == size else None


def with_batches(found: QuerySet[Run], *, undos: bool = False) -> QuerySet[Run]:
    """Return those of some runs that have batches or failed rows, or whose undos have any."""
    rows = (model.objects.filter(run=OuterRef("pk")) for model in (Batch, FailedRow))
    batches, failed = (Q(Exists(each)) for each in rows)
    if not undos:
        return found.filter(batches | failed)
    return found.filter(pk__in=queries.undos().filter(batches | failed).values("undoes"))


def remove_batches(pks: Collection[int], size: int, *, undos: bool = False) -> int:
    """Remove some batches, or failed rows, of runs or of their undos; return how many.

    In their order: wherever it ends, a run that has all its batches finds all later ones.
    """
    whose = {"run__undoes__in" if undos else "run__in": pks}
    for rows in (Batch.objects.order_by("run", "pk"), FailedRow.objects.order_by("run", "pk")):
        some = list(rows.filter(**whose).values_list("pk", flat=True)[:size])
        if some:
            return rows.model.objects.filter(pk__in=some).delete()[0]
    return 0


def remove_runs(pks: Collection[int]) -> int:
    """Remove some runs and their undos, in the caller's transaction; return how many.

    A slot that was done stays, without its run, so that it is not done again.
    """
    undos = list(Run.objects.filter(undoes__in=pks).values_list("pk", flat=True))
    claimed = Slot.objects.filter(run__in=[*pks, *undos])
    claimed.exclude(run__status__in=SETTLED).delete()
    Run.objects.filter(pk__in=undos).delete()  # before the run that it protects
    Run.objects.filter(pk__in=pks).delete()
    return len(undos) + len(pks)


def _in_order(roots: Collection[int]) -> set[int]:
    """Return those of some runs before which no other of the same model has batches."""
    going = set(roots)
    while going:
        members = Run.objects.filter(Q(pk__in=going) | Q(undoes__in=going)).exclude(model="")
        ends = members.values_list("model").annotate(last=Max("pk"))
        left = going
        for model, last in ends:
            others = Batch.objects.filter(run__model=model, run__lt=last)
            first = others.exclude(run__in=members.values("pk")).aggregate(run=Min("run"))["run"]
            if first is not None:
                late = members.filter(model=model, pk__gt=first)
                left = left - set(late.values_list(Coalesce("undoes", "pk"), flat=True))
        if left == going:
            break
        going = left
    return going


def _roots() -> QuerySet[Run]:
    return Run.objects.filter(undoes=None).annotate(end=END)


def _ended(before: datetime.datetime) -> Q:
    """Ended before a time, and so has each undo."""
    undos = queries.undos().filter(undoes=OuterRef("pk")).annotate(end=END)
    young = undos.filter(Q(status=Status.RUNNING) | Q(end__gte=before))
    return Q(end__lt=before) & ~Q(status=Status.RUNNING) & ~Q(Exists(young))


def _cut_short() -> Q:
    """Undone in part."""
    undos = queries.undos().filter(undoes=OuterRef("pk"))
    done = undos.filter(status=Status.SUCCEEDED)
    return Q(Exists(undos.filter(status__in=CUT_SHORT))) & ~Q(Exists(done))


def _over(before: datetime.datetime) -> Q:
    """Ended before a time, and neither being undone nor undone in part."""
    return _ended(before) & ~_cut_short()


def _ends(found: QuerySet[Run]) -> tuple[int | None, int | None]:
    """Return the first and the last number of some runs."""
    numbers = found.values_list("pk", flat=True)
    return numbers.order_by("pk").first(), numbers.order_by("-pk").first()
