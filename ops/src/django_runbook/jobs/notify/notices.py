"""Tells those who look after the jobs what is wrong, or well again: by mail, and to a webhook.

Declared in ``[tool.django-runbook.notify]``. A notice holds neither secrets nor values of rows: a
reason, an output and the key of a row stay in the ledger.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from django_runbook.config import of_settings
from django_runbook.jobs.notify import errands, posts
from django_runbook.jobs.notify.errands import Errand
from django_runbook.schema.database.protection import LOCAL, environment
from django_runbook.schema.secrets import shown
from django_runbook.text.cleaning import one_line

MAIL, WEBHOOK = "mail", "webhook"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is told: of which run of which job (None for all of them), in lines, the first alone.

    ``event`` is failed, refused, lost, recovered, slow, status or test.
    """

    event: str
    job: str | None
    run: int | None
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Ways:
    """Where to: addresses of mail, and that of a webhook, which is a secret in ``variable``."""

    mail: tuple[str, ...] = ()
    variable: str | None = None
    webhook: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """Tell whether anybody is told."""
        return bool(self.mail or self.webhook)


def ways() -> Ways:
    """Return who is told of the runs here: nobody where nothing can be lost, as on a laptop.

    Raises ``ConfigError`` where the declaration is wrong.
    """
    return Ways() if unwatched() else declared()


def declared() -> Ways:
    """Return who is declared. A webhook whose variable is not set is told nothing.

    Raises ``ConfigError`` where the declaration is wrong.
    """
    found = of_settings()
    if found is None:
        return Ways()
    variable = found.notify.webhook
    webhook = os.environ.get(variable) if variable else None
    return Ways(mail=found.notify.mail, variable=variable, webhook=webhook)


def unwatched() -> bool:
    """Tell whether this environment is one in which nobody loses anything."""
    name, found = environment().name, of_settings()
    if not name:
        return bool(settings.DEBUG)
    return name in LOCAL or bool(found and name in found.unprotected)


def errands_of(notice: Notice, to: Ways) -> dict[str, Errand]:
    """Return what tells everybody, by name."""
    found: dict[str, Errand] = {}
    if to.mail:
        found[MAIL] = partial(_mail, notice, to.mail)
    if to.webhook:
        found[WEBHOOK] = partial(_post, notice, to.webhook)
    return found


def tell(notice: Notice, to: Ways) -> list[str]:
    """Tell everybody at once, and return a line for each who could not be told.

    Raises nothing but what a signal's handler raises, as Ctrl-C does.
    """
    return errands.undone(notice.job or "the jobs", errands_of(notice, to))


def _mail(notice: Notice, to: tuple[str, ...]) -> None:
    """Send a mail as Django sends its own to the admins. Raises what the backend raises."""
    connection: Any = get_connection()
    if getattr(connection, "timeout", errands.DEADLINE) is None:  # EMAIL_TIMEOUT is not set
        connection.timeout = errands.DEADLINE
    first, *rest = _lines(notice)
    EmailMessage(
        subject=f"{settings.EMAIL_SUBJECT_PREFIX}{_where()}{first}",
        body="\n".join([f"{_where()}{first}", *rest]) + "\n",
        from_email=settings.SERVER_EMAIL,
        to=to,
        connection=connection,
    ).send()


def _post(notice: Notice, url: str) -> str | None:
    """Post it as JSON, and return why it came to nothing, or None. Raises what urllib raises."""
    lines = _lines(notice)
    facts = {**asdict(notice), "environment": environment().name, "lines": lines}
    text = "\n".join([f"{_where()}{lines[0]}", *lines[1:]])
    return posts.post(url, json.dumps({"text": text, **facts}).encode(), posts.JSON)


def _lines(notice: Notice) -> list[str]:
    return [shown(one_line(line)) for line in notice.lines]


def _where() -> str:
    return f"{name}: " if (name := one_line(environment().name)) else ""
