"""What may be done with a job: tried, run, paused, resumed."""

import shlex

from django.forms import Form
from django.http import HttpResponse
from django.utils import timezone

from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import pauses
from django_runbook.jobs.ledger.pauses import paused_text
from django_runbook.jobs.pages.acts import handing, looking
from django_runbook.jobs.pages.acts.answers import Page, page
from django_runbook.jobs.pages.acts.forms import AllowedForm, ConfirmForm, PauseForm
from django_runbook.jobs.pages.acts.looking import Known
from django_runbook.jobs.pages.acts.visits import Visit
from django_runbook.jobs.report.actions import run_action
from django_runbook.jobs.report.details import change_text
from django_runbook.jobs.report.formats import moment, second
from django_runbook.jobs.report.previews import preview_notes
from django_runbook.jobs.report.tables import pause_lines
from django_runbook.jobs.watch.status import next_slot
from django_runbook.schema.guard.confirmation import announced

RUN_NOW = "Run now"
LATE = "A look takes longer than {:g} seconds; on a terminal it takes as long as it must."
ON_A_TERMINAL = "Only registered transitions are tried here; this command is on a terminal."


def dry_run(visit: Visit) -> HttpResponse:
    """Show what a run would find; nothing is written."""
    job = looking.known(visit.subject)
    target, command = _target(f"Dry run of {job.name} in"), _command(job.name, looking.DRY)
    if job.moved is not None:
        return page(visit, _looked(job, command=command, target=target))
    if looking.takes_dry_run(job.name):
        return page(visit, Page(notes=(ON_A_TERMINAL,), command=command))
    return page(visit, Page(notes=(f"{job.name} has no dry run.",)))


def run(visit: Visit) -> HttpResponse:
    """Ask, and hand the run to a worker."""
    if visit.posted and (answer := handing.seen_before(visit)):
        return answer
    job = looking.known(visit.subject)
    if not job.startable:
        raise RefusedError(
            f"Refused: {job.name} is neither declared nor registered as a job; nothing was "
            f"started. 'inv jobs.run {job.name}' on a terminal runs it."
        )
    pauses.require_unpaused(job.name, database_now())
    at = looking.where()
    kind = AllowedForm if job.moved else ConfirmForm
    form = kind(visit.request.POST if visit.posted else None, **looking.asked_name(at))
    target = announced(run_action(job.name), at)
    if not visit.posted:
        return handing.shown(
            visit, _looked(job, command=_command(job.name), target=target), form, RUN_NOW
        )
    action, shows = run_action(job.name), Page(target=target, command=_command(job.name))
    return handing.handed(visit, shows, form, action=action, command="run_job", submit=RUN_NOW)


def pause(visit: Visit) -> HttpResponse:
    """Ask until when and why, and pause."""
    job, now = looking.known(visit.subject), timezone.now()
    pauses.require_no_pause(job.name)
    zone = timezone.get_current_timezone_name()
    form = PauseForm(visit.request.POST if visit.posted else None, now=now, zone=zone)
    if visit.posted and form.is_valid():
        until, reason = form.cleaned_data["until"], form.cleaned_data["reason"]
        made = pauses.pause(job.name, until=until, reason=reason, who=visit.who)
        said = f"{job.name} is {paused_text(made.pause)}."
        goes_on = [f"Run {number} goes on." for number in made.running]
        return visit.done(" ".join([said, *goes_on]), log=said)
    shows = Page(
        target=_target(f"Pause {job.name} in"),
        facts=_coming(job.name),
        command=f'inv jobs.pause {shlex.quote(job.name)} --reason "..."',
        form=form,
        submit="Pause",
    )
    return page(visit, shows)


def resume(visit: Visit) -> HttpResponse:
    """Show the pause, and end it."""
    job = looking.known(visit.subject)
    if visit.posted:
        ended = pauses.resume(job.name, who=visit.who)
        if not ended:
            return visit.done(f"{job.name} is not paused.")
        return visit.done(" ".join(pause_lines(ended)), log=f"{job.name} resumed.")
    found = pauses.in_force(job.name)
    if found is None:
        raise RefusedError(f"Refused: {job.name} is not paused; nothing was changed.")
    shows = Page(
        target=_target(f"Resume {job.name} in"),
        facts=(("Pause", paused_text(found)), *_coming(job.name)),
        command=f"inv jobs.resume {shlex.quote(job.name)}",
        form=Form(),
        submit="Resume",
    )
    return page(visit, shows)


def _looked(job: Known, *, command: str, target: str) -> Page:
    """Return what a run would find, where that is known."""
    if job.moved is None:
        return Page(target=target, command=command)
    change = change_text(job.moved.change.as_json())
    seen = looking.preview(job.moved, timezone.now())
    if seen is None:
        late = LATE.format(looking.SECONDS)
        return Page(target=target, facts=(("Change", change),), notes=(late,), command=command)
    facts = (("Rows due", f"{seen.due:,}"), ("Due at", second(seen.as_of)), ("Change", change))
    notes, table = tuple(preview_notes(seen)), looking.examples(seen)
    return Page(target=target, facts=facts, notes=notes, table=table, command=command)


def _target(action: str) -> str:
    return announced(action, looking.where())


def _command(name: str, *words: str) -> str:
    return shlex.join(["inv", "jobs.run", name, *(["--", *words] if words else [])])


def _coming(name: str) -> tuple[tuple[str, str], ...]:
    slot = next_slot(name, timezone.now())
    return (("Next slot", moment(slot)),) if slot else ()
