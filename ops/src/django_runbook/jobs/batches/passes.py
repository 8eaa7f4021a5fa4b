"""Goes through the rows of a run, batch by batch, beside others that do the same."""

from typing import Any

from django.db.models import QuerySet

from django_runbook.jobs.batches.loop import TARGET_SECONDS, Pace, Watch, Work
from django_runbook.jobs.batches.rows import changes, paging
from django_runbook.jobs.batches.rows.failures import Failures
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.batches.throttle import Throttle
from django_runbook.jobs.models import Run
from django_runbook.jobs.registry import Change


def transition(
    queryset: QuerySet[Any],
    change: Change,
    *,
    run: Run,
    since: str | None = None,
    stop: Stop | None = None,
    watch: Watch | None = None,
    failures: Failures | None = None,
    throttle: Throttle | None = None,
    target_seconds: float = TARGET_SECONDS,
) -> None:
    """Change the rows of ``queryset``, in batches of one transaction each.

    What was changed must no longer be in it. The batches follow ``since`` (a field with an index,
    the time that makes a row due) and the primary key. A first pass leaves out what others have
    locked, a second waits for it, as PostgreSQL's manual says of SKIP LOCKED. Their size follows
    ``target_seconds``.

    ``run`` counts on: ``changed`` and ``batches`` are what the database has changed. It returns
    early when ``stop`` asks for it, and when ``failures`` knows that there is no use in going on.
    Without ``failures`` a row that cannot be changed raises its error.

    Raises ``FencedError`` where another run has taken this one's place, and Django's database
    errors where neither repeating, nor halving, nor connecting again has helped.
    """
    pace = Pace(queryset.db, target_seconds)
    work = Work(run, stop or Stop(), watch, pace=pace, failures=failures, throttle=throttle)
    try:
        for skip_locked in (True, False):
            for rows, order in paging.parts(queryset, since):
                _go_through(work, rows, change, order=order, skip_locked=skip_locked)
    finally:
        work.end()


def once(
    queryset: QuerySet[Any],
    change: Change,
    *,
    run: Run,
    behind: Any = None,
    has_cursor: bool = True,
    stop: Stop | None = None,
    watch: Watch | None = None,
    failures: Failures | None = None,
    throttle: Throttle | None = None,
) -> bool:
    """Change each row of ``queryset`` once, behind a key; tell whether it came to the end.

    What was changed may still be in it. With ``has_cursor`` the key of the last row that was tried
    stands in ``run.cursor``, written with the batch itself. Nothing is left out for being locked.
    Raises as ``transition`` does.
    """
    work = Work(
        run, stop or Stop(), watch, pace=Pace(queryset.db), failures=failures, throttle=throttle
    )
    work.once, work.has_cursor = True, has_cursor
    after = None if behind is None else (behind,)
    try:
        return _go_through(
            work, queryset, change, order=paging.BY_KEY, skip_locked=False, after=after
        )
    finally:
        work.end()


def _go_through(
    work: Work,
    rows: QuerySet[Any],
    change: Change,
    *,
    order: tuple[str, ...],
    skip_locked: bool,
    after: tuple[Any, ...] | None = None,
) -> bool:
    """Change these rows in their order; tell whether it came to their end."""
    asks_again = skip_locked and not change.kept and changes.in_one_statement(rows, change)
    while not work.stop.reason and not work.hopeless:

        def picked(size: int, *, after: Any = after) -> Any:
            alone = asks_again and work.alone
            return paging.pick(
                rows, order=order, after=after, size=size, skip_locked=skip_locked, alone=alone
            )

        done, size = work.batch(picked, change)
        if done is None or work.hopeless:
            break
        if done.picked < size:
            return True
        after = done.last
    return False
