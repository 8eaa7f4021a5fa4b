"""What may be done with a run: stopped while it runs, and undone."""

from argparse import ArgumentTypeError

from django.http import HttpResponse

from django_runbook.jobs.errors import RefusedError, UnknownRunError
from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.ledger.reading.history import status, with_pulse
from django_runbook.jobs.ledger.stops import ask_to_stop
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.pages.acts import handing, looking
from django_runbook.jobs.pages.acts.answers import Page, Table, page
from django_runbook.jobs.pages.acts.forms import ConfirmForm, StopForm
from django_runbook.jobs.pages.acts.visits import Visit
from django_runbook.jobs.report.actions import undo_action
from django_runbook.jobs.report.details import change_text
from django_runbook.schema.guard.confirmation import announced
from django_runbook.text.cleaning import one_line
from django_runbook.text.numbers import whole

UNDO = "Undo"
LATE = (
    "To look at all batches takes longer than {:g} seconds; the undo looks at them before it "
    "changes anything."
)


def stop(visit: Visit) -> HttpResponse:
    """Ask why, and ask the run to end."""
    pk = _number(visit.subject)
    form = StopForm(visit.request.POST if visit.posted else None)
    if visit.posted and form.is_valid():
        asked = ask_to_stop(pk, who=visit.who, reason=form.cleaned_data["reason"])
        which = f"Run {pk} of {asked.job}"
        if asked.again:
            return visit.done(f"{which} was asked to end before, by {one_line(asked.reason)}.")
        log = f"{which} was asked to end, by {one_line(asked.reason)}"
        return visit.done(f"{which} ends after its batch.", log=log)
    run = with_pulse(Run.objects.filter(pk=pk)).get()
    if (seen := status(run)) != Status.RUNNING:
        raise RefusedError(
            f"Refused: run {pk} of {run.job} is not running ({seen.label}); nothing was changed."
        )
    if run.stop_asked:
        raise RefusedError(
            f"Refused: run {pk} of {run.job} was asked to end before, by "
            f"{one_line(run.stop_reason)}; it does so after its batch."
        )
    of = "" if run.due is None else f" of {run.due:,}"
    shows = Page(
        target=announced(f"Stop run {pk} of {run.job} after its batch in", looking.where()),
        facts=(("Rows changed", f"{run.changed:,}{of}"), ("Started by", one_line(run.who))),
        command=f"inv jobs.stop {pk}",
        form=form,
        submit="Stop after this batch",
    )
    return page(visit, shows)


def undo(visit: Visit) -> HttpResponse:
    """Show what would be put back, and hand that to a worker."""
    if visit.posted and (answer := handing.seen_before(visit)):
        return answer
    pk = _number(visit.subject)
    run = queries.get_run(pk)
    found = looking.plan(pk)
    action = undo_action(found) if found else f"Undo run {pk} of {run.job} in"
    at = looking.where()
    form = ConfirmForm(visit.request.POST if visit.posted else None, **looking.asked_name(at))
    keys = looking.keys(pk)
    shows = Page(
        target=announced(action, at),
        facts=(
            *([("Change", change_text(found.change))] if found else []),
            ("Rows", f"{run.changed:,}, in {run.batches:,} batch(es)"),
        ),
        notes=() if found else (LATE.format(looking.SECONDS),),
        table=Table(
            caption=f"The first {len(keys)} row(s)", heads=("Row",), rows=[(key,) for key in keys]
        ),
        command=f"inv jobs.undo {pk}",
    )
    if not visit.posted:
        return handing.shown(visit, shows, form, UNDO)
    return handing.handed(visit, shows, form, action=action, command="undo_run", submit=UNDO)


def _number(text: str) -> int:
    """Return the number of a run. Raises ``UnknownRunError`` for what is none, or nobody's."""
    try:
        pk = whole(least=1)(text)
    except ArgumentTypeError as error:
        raise UnknownRunError(f"There is no run {one_line(text)}: {error}.") from error
    queries.get_run(pk)
    return pk
