"""Takes a run back: exactly the rows that it changed and that nobody has touched since."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

from django_runbook.jobs.batches.loop import Pace, Watch, Work
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import queries, runs
from django_runbook.jobs.ledger.recording import Recording, recorded
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Batch, Run, Status
from django_runbook.jobs.registry import Change
from django_runbook.jobs.registry import job as declared_job


@dataclass(frozen=True, kw_only=True)
class UndoResult:
    """What an undo put back; ``others`` says of the rest why it was left, and how many each."""

    run: int
    undoes: int
    job: str
    status: str
    reason: str
    changed: int
    restored: int
    others: Mapping[str, int]
    left: int
    seconds: float
    warnings: tuple[str, ...]


def undo_run(
    pk: int, *, order: Order | None = None, stop: Stop | None = None, watch: Watch | None = None
) -> UndoResult:
    """Put back the rows of run ``pk`` that are still as it set them; the undo is a run itself.

    A row that was changed again later is left alone, whatever its state. An undo that was cut short
    is gone on with by another. The heartbeat of the job is told nothing: it has not run.

    Raises ``UnknownRunError``; ``RefusedError`` for a run that is running, changed no rows, cannot
    be put back by what the ledger knows, or is an undo itself, and while the job is running; and
    ``FailedError`` where the database failed.
    """
    run = queries.get_run(pk)
    runs.mark_lost(run.job)
    run.refresh_from_db()
    _require_undoable(run)
    back, stop = change_back(run), stop or Stop()
    order = replace(order or Order(), slot=None, inside=None)
    values = {"undoes": run, **back.recorded(), "continues": _cut_short(run)}
    others: Counter[str] = Counter()
    done = 0
    with recorded(declared_job(run.job), order, due=run.changed, **values) as recording:
        work = Work(recording.run, stop, watch, pace=Pace(run._state.db or DEFAULT_DB_ALIAS))
        try:
            for rows, said in _put_back(work, run, back):
                done += rows
                others += said
        finally:
            work.end()
        if done < run.changed:
            recording.says(Status.STOPPED, stop.reason)
    return _result(recording, run, others=dict(sorted(others.items())), left=run.changed - done)


def change_back(run: Run) -> Change:
    """Return the change that takes a run's own back, as the ledger keeps it.

    It asks for all that a row was when the run had changed it, and sets only what the run set.

    Raises ``RefusedError`` where the ledger does not know what a field was, and where the code has
    lost the model or a field.
    """
    was, to = run.change["was"], run.change["to"]
    if unknown := ", ".join(sorted(set(to) - set(was))):
        raise RefusedError(
            f"Refused: run {run.pk} set {unknown}, and the ledger does not know what it was before."
        )
    try:
        model = apps.get_model(run.change["model"])

        def values(plain: Mapping[str, Any]) -> dict[str, Any]:
            return {key: model._meta.get_field(key).to_python(plain[key]) for key in plain}

        return Change(
            model=model, was=values({**was, **to}), to=values({name: was[name] for name in to})
        )
    except (LookupError, FieldDoesNotExist) as error:
        raise RefusedError(
            f"Refused: run {run.pk} changed {', '.join(to)} of {run.change['model']}, "
            f"which the code no longer has ({error})."
        ) from error


def _require_undoable(run: Run) -> None:
    if run.undoes_id:
        raise RefusedError(f"Refused: run {run.pk} is itself the undo of run {run.undoes_id}.")
    if not run.change or not run.changed:
        raise RefusedError(f"Refused: run {run.pk} changed no rows that the ledger knows.")
    running = Run.objects.filter(job=run.job, status=Status.RUNNING).first()
    if running:
        raise RefusedError(
            f"Refused: run {running.pk} of {run.job} is running ({running.who}); nothing was "
            "changed. Stop it first, or wait for its end."
        )
    kept = run.batch_set.count()
    if kept != run.batches:
        raise RefusedError(
            f"Refused: the ledger keeps {kept} of the {run.batches} batches of run {run.pk}; "
            "nothing was changed."
        )


def _result(recording: Recording, run: Run, **values: Any) -> UndoResult:
    return UndoResult(
        run=recording.run.pk,
        undoes=run.pk,
        job=run.job,
        status=recording.status,
        reason=recording.reason,
        changed=run.changed,
        restored=recording.run.changed,
        seconds=round(recording.seconds, 3),
        warnings=tuple(recording.warnings),
        **values,
    )


def _cut_short(run: Run) -> Run | None:
    """Return the newest undo of a run, where it did not come to its end."""
    newest = run.undone_by.order_by("-pk").first()
    return newest if newest and newest.status != Status.SUCCEEDED else None


def _put_back(work: Work, run: Run, back: Change) -> Iterator[tuple[int, Counter[str]]]:
    """Put back the rows of a run; yield of how many it is known now, and why some were left."""
    for group in queries.batches(run):
        later = queries.changed_later(group, but=work.run)
        for batch in group:
            if work.stop.reason:
                return
            again = {key: later[key] for key in batch.ids if key in later}
            again = {key: newest for key, newest in again.items() if newest.pk > batch.pk}
            yield len(again), Counter(_said(newest.run) for newest in again.values())
            for chunk in _restore(work, back, [key for key in batch.ids if key not in again]):
                yield len(chunk), _left_alone(work.run, back, chunk)


def _restore(work: Work, back: Change, ids: list[Any]) -> Iterator[list[Any]]:
    """Put back the rows of one batch, in pieces that the pace allows; yield each piece."""
    connection = work.connection
    rows: QuerySet[Any] = back.model._base_manager.using(connection.alias).all()
    if connection.features.has_select_for_update:
        rows = rows.select_for_update(no_key=connection.features.has_select_for_no_key_update)
    while ids:

        def picked(size: int, ids: list[Any] = ids) -> QuerySet[Any, Any]:
            still = rows.filter(pk__in=ids[:size], **back.was)
            return still.order_by("pk").values_list("pk")

        done, size = work.batch(picked, back)
        if done is None:
            return
        yield ids[:size]
        ids = ids[size:]


def _left_alone(undo: Run, back: Change, chunk: list[Any]) -> Counter[str]:
    """Say of the rows of a piece that were not put back, in what state they are."""
    last = Batch.objects.filter(run=undo).order_by("-number").first()
    put_back = set(last.ids if last else ())
    rest = [key for key in chunk if key not in put_back]
    if not rest:
        return Counter()
    names = list(back.to)
    using = connections[undo._state.db or DEFAULT_DB_ALIAS].alias
    states = back.model._base_manager.using(using).filter(pk__in=rest).values_list(*names)
    counts = Counter(
        ", ".join(f"{name}={value}" for name, value in zip(names, state, strict=True))
        for state in states
    )
    gone = len(rest) - counts.total()
    return counts + Counter({"gone": gone})


def _said(later: Run) -> str:
    how = "put back" if later.undoes_id else "changed again"
    return f"{how} by run {later.pk}"
