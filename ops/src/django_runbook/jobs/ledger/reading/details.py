"""Everything that the ledger says of one run but its rows."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Min

from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.ledger.reading.history import RunState, state, with_pulse
from django_runbook.jobs.ledger.reading.outcomes import settles
from django_runbook.jobs.models import Run, Status

MANY = 1_000  # later successes that are looked at


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many rows the batches of a run changed, and when the first and the last was committed."""

    smallest: int
    largest: int
    first: datetime.datetime
    last: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class RunDetails:
    """Everything about a run but its rows.

    ``settled_by`` is the run that has done since what this one did not: the next of the job, or of
    the undo, that succeeded and covers it.
    """

    state: RunState
    heartbeat: datetime.datetime
    exclusive: bool
    token: str
    user: str
    host: str
    pid: int
    ci_url: str
    parameters: Mapping[str, Any]
    arguments: Sequence[str]
    cutoff: datetime.datetime | None
    change: Mapping[str, Any]
    sizes: Sizes | None
    output: str
    settled_by: int | None
    stop_asked: datetime.datetime | None = None
    failed: int = 0


def details(pk: int) -> RunDetails:
    """Return everything about a run. Raises ``UnknownRunError`` where there is none."""
    queries.get_run(pk)
    run = with_pulse(Run.objects.prefetch_related("undone_by")).get(pk=pk)
    later = Run.objects.filter(job=run.job, undoes=run.undoes_id, pk__gt=pk)
    good = later.filter(status=Status.SUCCEEDED).defer("output").order_by("pk")[:MANY]
    return RunDetails(
        state=state(run),
        heartbeat=run.heartbeat,
        exclusive=run.exclusive,
        token=str(run.token),
        user=run.user,
        host=run.host,
        pid=run.pid,
        ci_url=run.ci_url,
        parameters=run.parameters,
        arguments=run.arguments,
        cutoff=run.cutoff,
        change=run.change,
        sizes=_sizes(run),
        output=run.output,
        settled_by=next((one.pk for one in good if settles(one, run)), None),
        stop_asked=run.stop_asked,
        failed=run.failed,
    )


def _sizes(run: Run) -> Sizes | None:
    """Return what the batches of a run were; None where it has none."""
    found = run.batch_set.aggregate(
        smallest=Min("changed"), largest=Max("changed"), first=Min("finished"), last=Max("finished")
    )
    return Sizes(**found) if found["first"] else None
