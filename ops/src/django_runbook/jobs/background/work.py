"""The task: what a worker of the project does with an errand."""

import uuid
from contextlib import suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections

from django_runbook.jobs.background.backends import as_task
from django_runbook.jobs.background.program import environment, program, supervised
from django_runbook.jobs.errors import FailedError
from django_runbook.jobs.models import Run
from django_runbook.schema.secrets import shown
from django_runbook.text.cleaning import one_line

#: What can be handed over; whoever writes into the queue can start nothing else.
COMMANDS = ("run_job", "undo_run")
#: Exit codes that are no failure: done, refused by a guard, stopped early.
ENDED = (0, 3, 4)


@as_task
def work(*, command: str, subject: str, by: str, token: str, words: list[str]) -> dict[str, Any]:
    """Do an errand in a process of its own, with all that it does from a terminal.

    Return its exit code, the number of its run, None where it has none, and a line that says how it
    came out. Raises ``FailedError`` with that line where it failed, for the backend to write down.
    """
    claim = uuid.UUID(token)
    if command not in COMMANDS:
        raise FailedError(f"{one_line(command)} is nothing that a worker does.")
    argv = [*program(), command, subject, "--token", str(claim)]
    argv += ["--", *words] if command == "run_job" and words else words
    code, said = supervised(argv, environment(by, argv))
    run = _run(claim)
    line = _line(code, run, said)
    if code not in ENDED:
        raise FailedError(line)
    return {"code": code, "run": run.pk if run else None, "line": line}


def _run(token: uuid.UUID) -> Run | None:
    """Return the run of a token; the connection may have grown old meanwhile."""
    connection = connections[DEFAULT_DB_ALIAS]
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    with suppress(Error):
        return Run.objects.filter(token=token).first()
    return None


def _line(code: int, run: Run | None, said: str) -> str:
    """Say how it came out: in the ledger's words, or the last of the command's own."""
    if run and not code:
        return f"Run {run.pk} of {run.job}: {run.get_status_display()}"
    last = said.strip().rpartition("\n")[2]
    return one_line(shown(last)) or f"exit code {code}"
