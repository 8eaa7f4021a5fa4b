"""Asks for what is handed to a worker: confirmed on a protected target, and once."""

import datetime
import uuid
from dataclasses import replace
from http import HTTPStatus

from django.db import DEFAULT_DB_ALIAS, transaction
from django.http import HttpResponse
from django.utils import timezone

from django_runbook.jobs.background import Errand, backend, hand_over
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.models import Run
from django_runbook.jobs.pages.acts.answers import Page, page
from django_runbook.jobs.pages.acts.forms import ConfirmForm
from django_runbook.jobs.pages.acts.visits import Visit
from django_runbook.schema.errors import GuardError
from django_runbook.schema.guard.confirmation import guard

NO_WORKER = "This project hands nothing to workers (TASKS in its settings): type the command."

WAITS = "It was handed to the workers a moment ago, and has not begun; asked again, it runs once."
HANDED = "handed to the workers as"
#: How long what was handed over and has not begun is taken for what is asked for again.
A_MOMENT = datetime.timedelta(minutes=10)


def shown(visit: Visit, shows: Page, form: ConfirmForm, submit: str) -> HttpResponse:
    """Return the page with its question; where there are no workers, with the command alone."""
    if backend() is None:
        return page(visit, replace(shows, notes=(*shows.notes, NO_WORKER)))
    if token := _waiting(visit):
        form.initial["token"] = token
        shows = replace(shows, notes=(*shows.notes, WAITS))
    return page(visit, replace(shows, form=form, submit=submit))


def handed(
    visit: Visit, shows: Page, form: ConfirmForm, *, action: str, command: str, submit: str
) -> HttpResponse:
    """Hand it over as the form says; what was wrong is asked again.

    The same form sent again hands nothing over. Raises ``RefusedError`` where nobody takes it, and
    ``FailedError`` where the backend does not.
    """
    to = backend()
    if to is None:
        raise RefusedError(f"Refused: {NO_WORKER[0].lower()}{NO_WORKER[1:-1]} '{shows.command}'.")
    shows = replace(shows, form=form, submit=submit)
    if not form.is_valid():
        return page(visit, shows)
    try:
        guard(DEFAULT_DB_ALIAS, action, confirm=form.typed)
    except GuardError as refusal:
        return page(visit, shows, line=str(refusal), status=HTTPStatus.CONFLICT)
    token: uuid.UUID = form.cleaned_data["token"]
    words = form.words
    if command == "undo_run" and form.typed:
        words = (*words, "--confirm", form.typed)
    errand = Errand(command=command, subject=visit.subject, by=visit.user, token=token, words=words)
    with transaction.atomic():  # no entry without a task
        visit.log(f"{_done(action)}: {HANDED} {token}")
        task = hand_over(errand, to)
    return visit.done(f"Handed to the workers as task {task}; the run is seen here once it begins.")


def seen_before(visit: Visit) -> HttpResponse | None:
    """Return the answer to a form that was sent before; None for a new one."""
    try:
        token = uuid.UUID(visit.request.POST.get("token", ""))
    except ValueError:
        return None
    begun = Run.objects.filter(token=token).first()
    if begun:
        return visit.done(f"This was done already, as run {begun.pk}; nothing more was started.")
    if visit.logged(str(token)).exists():
        return visit.done("This was handed to the workers already; nothing more was started.")
    return None


def _waiting(visit: Visit) -> uuid.UUID | None:
    """Return the token of what the same user handed over a moment ago and no worker has begun."""
    mine = visit.logged(HANDED).filter(
        user=visit.request.user.pk, action_time__gt=timezone.now() - A_MOMENT
    )
    last = mine.first()
    try:
        token = uuid.UUID(last.change_message.rpartition(" ")[2]) if last else None
    except ValueError:
        return None
    begun = token is not None and Run.objects.filter(token=token).exists()
    return None if begun else token


def _done(action: str) -> str:
    """Return an action without the beginning of where."""
    return action.removesuffix(" in").removesuffix(",")
