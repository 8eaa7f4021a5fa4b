"""Tells those who look after the jobs how they are, and tries each way of telling them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django_runbook.jobs import registry
from django_runbook.jobs.notify import notices, pings, sentry
from django_runbook.jobs.notify.errands import Errand, carried_out
from django_runbook.jobs.notify.notices import Notice
from django_runbook.schema.database.protection import environment

TEST = Notice(
    event="test",
    job=None,
    run=None,
    lines=("a test of inv jobs.notify-test", "Nothing is wrong: so it would be told."),
)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A way of telling somebody, and why it came to nothing; None where it did not."""

    way: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Each way that is declared, how it came out, and what a trial cannot show."""

    tried: tuple[Tried, ...]
    notes: tuple[str, ...]


def tell_findings(headline: str, lines: Sequence[str]) -> list[str]:
    """Tell everybody what was found; return a line for each who could not be told.

    Where nobody is to be told, that is a line as well.
    """
    to = notices.ways()
    if not to:
        return [f"Nobody is told: {_nobody()}."]
    return notices.tell(Notice(event="status", job=None, run=None, lines=(headline, *lines)), to)


def try_all() -> Trial:
    """Send a test by each way that is declared, all at once, whatever the environment.

    A heartbeat's server is told to write a line down, which is neither a run's beginning nor its
    end. Sentry has no such signal, and is told nothing.
    """
    to = notices.declared()
    errands = notices.errands_of(TEST, to)
    ways = {
        notices.MAIL: f"mail to {', '.join(to.mail)}",
        notices.WEBHOOK: f"webhook {to.variable}",
    }
    if to.variable and not to.webhook:
        errands[notices.WEBHOOK] = partial(_unset, to.variable)
    for job in registry.declared():
        if job.heartbeat:
            ways[job.name] = f"heartbeat of {job.name} ({job.heartbeat})"
            errands[job.name] = _heartbeat(job.heartbeat)
    came = carried_out({ways[name]: errand for name, errand in errands.items()})
    tried = tuple(Tried(way=way, reason=reason) for way, reason in came.items())
    return Trial(tried=tried, notes=tuple(_notes()))


def _heartbeat(variable: str) -> Errand:
    url = os.environ.get(variable)
    return partial(pings.logged, url, "\n".join(TEST.lines)) if url else partial(_unset, variable)


def _unset(variable: str) -> str:
    return f"{variable} is not set in the environment"


def _notes() -> list[str]:
    notes = []
    if notices.declared() and notices.unwatched():
        notes.append(f"Mail and webhook are told of no run here: {_nobody()}.")
    sdk = sentry.library()
    if sdk and sdk.is_initialized():
        slugs = ", ".join(sentry.slug(job.name) for job in registry.declared())
        notes.append(f"Sentry: each run would check in with its monitor: {slugs}.")
    else:
        notes.append("Sentry: no run checks in, for sentry-sdk is not initialised here.")
    return notes


def _nobody() -> str:
    if not notices.declared():
        return "[tool.django-runbook.notify] of pyproject.toml names nobody who can be reached"
    name = environment().name or "one without a name"
    return f"the environment is {name}, where nobody loses anything"
