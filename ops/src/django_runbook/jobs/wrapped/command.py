"""Runs any management command as a job: in a process of its own, recorded and watched."""

import datetime
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from django.db import DEFAULT_DB_ALIAS, Error, connections

from django_runbook.config import Job
from django_runbook.jobs.batches.stopping import Stop, breakable, on_signals
from django_runbook.jobs.database.faults import Fault, patiently
from django_runbook.jobs.ledger.recording.around import environment
from django_runbook.jobs.ledger.recording.recording import SOON, Recording, recorded
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run
from django_runbook.jobs.wrapped.output import Output
from django_runbook.jobs.wrapped.process import Process
from django_runbook.jobs.wrapped.pulse import Pulse
from django_runbook.jobs.wrapped.supervision import End, Limit, Supervision, outcome
from django_runbook.schema.database.files import require_file


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """How a wrapped command came out; ``code`` is its own exit code, 128+n for signal n.

    It is 4 where somebody asked the run to end.
    """

    run: int
    slot: datetime.datetime | None
    status: str
    code: int
    due: int | None
    changed: int
    batches: int
    seconds: float
    reason: str
    warnings: tuple[str, ...]
    #: What asked this process to end meanwhile.
    asked: str = ""


def run_command(
    job: Job,
    argv: Sequence[str],
    *,
    order: Order,
    max_seconds: float,
    out: int,
    err: int,
    own: bool = False,
) -> CommandResult:
    """Run a command as ``job`` and hand its output on to the descriptors ``out`` and ``err``.

    SIGINT and SIGTERM are handed on to it and its children, SIGHUP as SIGTERM. After
    ``max_seconds`` it gets SIGTERM, and SIGKILL ten seconds later. It reads nothing, has no
    terminal, and ends when this process ends, however that does. ``own`` says that it is one of
    the kit's commands, whose exit codes 3 and 4 mean refused and stopped early.

    Raises what ``open_run`` does; ``StoppedError`` where the end was asked for before there was a
    run, and ``FailedError`` where the run was taken over by another.
    """
    stop, output, begun = Stop(max_seconds), Output(), time.monotonic()
    limit = Limit(begun + max_seconds, f"it took longer than {max_seconds / 60:g} min")
    with on_signals(stop):
        with _opened(job, order, stop) as recording:
            run, pulse = recording.run, Pulse(recording.run)
            try:
                end = _watched(run, argv, output, pulse, limit, (out, err))
            finally:
                pulse.stop()
                recording.output = output.read()
            found = _as_recorded(run, hurries=recording.hurries())
            said = found.reason if found else ""
            status, reason, code = outcome(end, own=own, said=said, asked=output.asked)
            recording.says(status, reason)
        output.finish(recording.hurries)  # when it is closed: a reader may take very long
    if recording.closed and run.pk == recording.number:  # else worse was said of the ledger
        recording.warnings += pulse.warnings
    return _result(recording, found or run, code, asked=stop.reason)


def _result(recording: Recording, found: Run, code: int, *, asked: str) -> CommandResult:
    """Return how it came out; ``found`` is the run as the command has left it."""
    run = recording.run
    return CommandResult(
        run=run.pk,
        slot=run.slot,
        status=recording.status,
        code=code,
        due=found.due,
        changed=found.changed,
        batches=found.batches,
        seconds=round(recording.seconds, 3),
        reason=recording.reason,
        warnings=tuple(recording.warnings),
        asked=asked,
    )


@contextmanager
def _opened(job: Job, order: Order, stop: Stop) -> Iterator[Recording]:
    """Yield what ``recorded`` does; whatever it waits for, an end that is asked for breaks it."""
    with ExitStack() as closing:
        stop.begun = True
        wait = order.waits
        order = replace(order, waits=lambda line: (wait(line) if wait else "") or stop.reason)
        recording = breakable(
            stop,
            connections[DEFAULT_DB_ALIAS],
            lambda: closing.enter_context(recorded(job, order)),
            helps=frozenset({Fault.REPEAT}),  # a lost connection may have lost a COMMIT's answer
        )
        recording.hurries = lambda: bool(stop.reason)
        yield recording


def _watched(
    run: Run,
    argv: Sequence[str],
    output: Output,
    pulse: Pulse,
    limit: Limit,
    to: tuple[int, int],
) -> End:
    """Start the command and watch it to its end; nothing of it is left where that fails."""
    pulse.start()
    env = {**os.environ, **environment(run), "PYTHONUNBUFFERED": "1"}
    process = Process(argv, env, output)
    try:
        process.hand_on(*to)
        return Supervision(process, run, pulse, limit).watch()
    except BaseException:
        process.kill()
        raise


def _as_recorded(run: Run, *, hurries: bool) -> Run | None:
    """Return the run as its row stands; None where the command itself has removed it.

    A command that rebuilds an SQLite file leaves the open one without a name: it is opened anew.
    """
    connection = connections[run._state.db or DEFAULT_DB_ALIAS]
    if not connection.in_atomic_block:
        connection.close()
    mine = Run.objects.using(connection.alias).filter(token=run.token)
    try:
        require_file(connection)
        return patiently(connection, mine.first, SOON if hurries else None)
    except Error:
        return None  # the tables are gone as well, or the server: whoever closes it will say so
