"""The heart of a run: it beats beside the work, and hears whoever asks the run to end."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.models import F

from django_runbook.jobs.database import timeouts
from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.errors import FencedError
from django_runbook.jobs.ledger import leases
from django_runbook.jobs.models import Run, Status

LOOK_SECONDS = 2.0  # between two looks whether somebody has asked for the end
BEAT_SECONDS = 10.0
PATIENCE = 0.5  # seconds that a beat waits for a lock: one that is missed does no harm


@contextmanager
def beating(run: Run, asked: Callable[[str], object]) -> Iterator[None]:
    """Let the heart of a run beat, from a thread and a connection of its own.

    ``asked`` is told who asked the run to end, once somebody does. Nothing beats where no other
    connection could see the run: in somebody's transaction, in a database in memory.
    """
    if not _seen_by_others(connections[run._state.db or DEFAULT_DB_ALIAS]):
        yield
        return
    over = threading.Event()
    heart = threading.Thread(target=_beat, args=(run, asked, over), daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join(PATIENCE)  # no longer: its server may be away


def fence(
    run: Run, *, changed: int = 0, batches: int = 0, failed: int = 0, cursor: Any = None
) -> None:
    """Count a batch and beat the heart of a run, if it is still this process that runs it.

    In the batch's own transaction, so that a run that was taken for lost changes nothing more.
    Raises ``FencedError``.
    """
    alive = Run.objects.using(run._state.db).filter(pk=run.pk, status=Status.RUNNING)
    moved = alive.update(
        changed=F("changed") + changed,
        batches=F("batches") + batches,
        failed=F("failed") + failed,
        heartbeat=Now(),
        **({} if cursor is None else {"cursor": plain(cursor)}),
    )
    if not moved:
        raise FencedError(f"{run.job}: run {run.pk} was taken for lost; another goes on.")
    leases.renew(run)


def keep(run: Run, cursor: Any) -> None:
    """Write down the key of the last row that was tried; nothing where there is none."""
    if cursor is not None:
        Run.objects.using(run._state.db).filter(pk=run.pk).update(cursor=plain(cursor))


def plain(key: Any) -> Any:
    """Return a primary key as JSON keeps it."""
    return key if isinstance(key, int | str) else str(key)


def asked_to_stop(run: Run) -> str:
    """Return who asked a run to end, and why; empty while nobody has."""
    asked = Run.objects.using(run._state.db).filter(pk=run.pk, stop_asked__isnull=False)
    return asked.values_list("stop_reason", flat=True).first() or ""


def _seen_by_others(connection: Any) -> bool:
    in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()
    return not connection.in_atomic_block and not in_memory


def _beat(run: Run, asked: Callable[[str], object], over: threading.Event) -> None:
    """Look and beat until it is over, or another has taken the run's place."""
    connection = connections[run._state.db or DEFAULT_DB_ALIAS]  # this thread's own
    beat = time.monotonic() + BEAT_SECONDS
    try:
        while not over.wait(LOOK_SECONDS):
            with suppress(Error), _forgotten_if_broken(connection):
                beats = time.monotonic() >= beat
                with _shortly(connection, writes=beats):
                    if beats:
                        fence(run)
                    reason = asked_to_stop(run)
                if beats:
                    beat = time.monotonic() + BEAT_SECONDS
                if reason:
                    asked(reason)
    except FencedError:
        return  # the work finds it out
    finally:
        with suppress(Error):
            connection.close()


@contextmanager
def _shortly(connection: Any, *, writes: bool) -> Iterator[None]:
    """Wait shortly for a lock; SQLite locks out every other writer in a transaction."""
    timeouts.before(connection, PATIENCE)
    if not writes and connection.vendor == "sqlite":
        yield
        return
    with transaction.atomic(using=connection.alias):
        timeouts.inside(connection, PATIENCE)
        yield


@contextmanager
def _forgotten_if_broken(connection: Any) -> Iterator[None]:
    """Connect anew after an error: the server may have been away."""
    try:
        yield
    except Error:
        connection.close()
        raise
