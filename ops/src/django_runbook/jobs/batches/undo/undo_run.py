"""Takes a run back: exactly the rows that it changed and that nobody has touched since."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Q

from django_runbook.jobs.batches.loop import Pace, Watch, Work
from django_runbook.jobs.batches.opening import opened
from django_runbook.jobs.batches.rows.failures import Failures
from django_runbook.jobs.batches.stopping import Stop, breakable
from django_runbook.jobs.batches.throttle import Throttle
from django_runbook.jobs.batches.undo import undoable
from django_runbook.jobs.batches.undo.left_alone import LeftAlone
from django_runbook.jobs.batches.undo.putting_back import PutBack
from django_runbook.jobs.batches.undo.undoable import Back, Piece
from django_runbook.jobs.errors import BrokenLedgerError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.reading import queries, rows
from django_runbook.jobs.ledger.reading.rows import Newest
from django_runbook.jobs.ledger.recording.recording import Recording
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Batch, Run, Status
from django_runbook.jobs.registry import job as declared_job
from django_runbook.jobs.registry import transitions

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class UndoPlan:
    """What an undo would put back: ``change`` is from what to what, as the ledger keeps it."""

    run: int
    job: str
    change: Mapping[str, Any]
    rows: int
    batches: int


@dataclass(frozen=True, kw_only=True)
class UndoResult:
    """What an undo put back; ``others`` says of the rest why it was left, and how many each.

    ``owners`` says which runs changed those again, or have put them back before, and how many each.
    """

    run: int
    undoes: int
    job: str
    status: str
    reason: str
    changed: int
    restored: int
    others: Mapping[str, int]
    owners: Mapping[str, Mapping[int, int]]
    left: int
    seconds: float
    warnings: tuple[str, ...]


def plan_undo(pk: int) -> UndoPlan:
    """Say what an undo of run ``pk`` would put back. Raises as ``undo_run`` does; writes nothing.

    What does not fit the change that the job registers is refused here, before anybody is asked.
    """
    run, back = _undoable(pk)
    change = back.recorded["change"]
    return UndoPlan(run=pk, job=run.job, change=change, rows=run.changed, batches=run.batches)


def undo_run(
    pk: int, *, order: Order | None = None, stop: Stop | None = None, watch: Watch | None = None
) -> UndoResult:
    """Put back the rows of run ``pk`` that are still as it set them; the undo is a run itself.

    A row that was changed again later is left alone, whatever its state, unless a registered job
    changed other fields of it. An undo that was cut short is gone on with by another. The heartbeat
    of the job is told nothing: it has not run.

    Raises ``UnknownRunError``; ``RefusedError`` for a run that is running, changed no rows, made
    another change than its job registers, does not fit its batches, or is an undo itself, and while
    the job is running; and ``FailedError`` where the database failed.
    """
    stop, connection = stop or Stop(), connections[DEFAULT_DB_ALIAS]
    breakable(stop, connection, lambda: runs.mark_lost(queries.get_run(pk).job))
    run, back = breakable(stop, connection, lambda: _undoable(pk))
    earlier = breakable(stop, connection, lambda: _cut_short(run))
    order = replace(order or Order(), slot=None, inside=None)
    values = {"undoes": run, **back.recorded, "continues": earlier}
    left = LeftAlone(back, run)
    done, job = 0, declared_job(run.job)
    throttle = Throttle.of(connection, job, transitions()[run.job])
    with opened(job, order, stop, due=run.changed, **values) as recording:
        failures = Failures(recording.run)
        pace = Pace(run._state.db or DEFAULT_DB_ALIAS)
        work = Work(recording.run, stop, watch, pace=pace, failures=failures, throttle=throttle)
        try:
            for looked_at in _put_back(work, run, back, left):
                done += looked_at
        finally:
            work.end()
        if failures.keys:
            recording.says(Status.FAILED, _failed(failures, recording.run))
        elif done < run.changed:
            recording.says(Status.STOPPED, stop.reason)
    return _result(recording, run, left=run.changed - done, **left.told())


def _undoable(pk: int) -> tuple[Run, Back]:
    """Return a run and how it is taken back. Raises ``UnknownRunError`` and ``RefusedError``."""
    run = queries.get_run(pk)
    back = undoable.require(run)
    undoable.verify(run, back)
    return run, back


def _cut_short(run: Run) -> Run | None:
    """Return the newest undo of a run, where it did not come to its end."""
    newest = run.undone_by.order_by("-pk").first()
    return newest if newest and newest.status != Status.SUCCEEDED else None


def _put_back(work: Work, run: Run, back: Back, left: LeftAlone) -> Iterator[int]:
    """Put back the rows of a run; yield of how many more it is known now what became of them."""
    others = undoable.harmless(back)
    groups = undoable.pieces(run, back)
    while group := _waits(work, lambda: next(groups, None)):
        later = _later(work, run, back, [batch for batch, _ in group], others)
        for batch, piece in group:
            if work.stop.reason:
                return
            again = {
                key: newest
                for key in piece.ids
                if (newest := later.get(key)) and newest.batch > batch.pk
            }
            left.changed_again(again.values())
            yield len(again)
            mine = [place for place, key in enumerate(piece.ids) if key not in again]
            for done, restored in _restore(work, back, piece.at(mine)):
                if restored < len(done.ids):
                    left.look_at(work, done)
                yield len(done.ids)
            if work.hopeless:
                return


def _waits(work: Work, read: Callable[[], T]) -> T:
    """Read what may take minutes, if nobody asks for the end meanwhile; once, for it goes on."""
    return breakable(work.stop, work.connection, read, helps=frozenset())


def _later(
    work: Work, run: Run, back: Back, group: list[Batch], others: Q | None
) -> dict[Any, Newest]:
    """Return which rows were changed again. Raises ``RefusedError`` where nobody can know."""
    try:
        return breakable(
            work.stop,
            work.connection,
            lambda: rows.changed_later(group, model=back.model, but=work.run, harmless=others),
        )
    except BrokenLedgerError as error:
        if work.run.changed:  # written meanwhile, for the first look is at all later batches
            raise
        raise undoable.broken(run, error) from error


def _restore(work: Work, back: Back, piece: Piece) -> Iterator[tuple[Piece, int]]:
    """Put back the rows of one batch, in pieces that the pace allows.

    Yield each piece, and how many of its rows have been put back just now.
    """
    while piece.ids:
        putting = PutBack(back, piece, work.run)
        done, size = work.batch(putting.picked, back.constants, putting.apply)
        if done is None:
            return
        first, piece = piece.split(size)
        yield first, done.changed
        if work.hopeless:
            return


def _failed(failures: Failures, undo: Run) -> str:
    count = len(failures.keys)
    why = failures.hopeless or f"{count:,} row(s) could not be put back"
    return f"{why}; 'inv jobs.show {undo.pk} --failed' lists them"


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
