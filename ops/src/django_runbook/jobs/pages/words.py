"""How the pages spell times, counts and what is wrong."""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from django_runbook.jobs.models import LARGEST
from django_runbook.jobs.report.formats import duration, second
from django_runbook.jobs.report.tables import health_lines
from django_runbook.jobs.watch.status import Health
from django_runbook.text.cleaning import unbroken

NOTHING = SafeString("")
#: A time in UTC, as ``moment`` and ``second`` spell it.
TIME = re.compile(r"(?a:\b(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?Z)\b)")


@dataclass(frozen=True)
class Said:
    """A sentence of ``inv jobs.status`` on a job, and the command that it names, if any."""

    text: str
    command: str


def when(at: datetime.datetime | None) -> SafeString:
    """Return a time (aware) in UTC; the page's script shows it in the viewer's zone."""
    if at is None:
        return NOTHING
    text = f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"
    return format_html('<time datetime="{}">{}</time>', second(at), text)


def timed(text: str) -> SafeString:
    """Return a text whose times, as the commands spell them, the page's script can show."""
    parts = TIME.split(text)
    return format_html_join("", '{}<time datetime="{}">{}</time>', _thirds(parts)) + escape(
        parts[-1]
    )


def countdown(at: datetime.datetime | None, now: datetime.datetime) -> SafeString:
    """Return how long it is to a time (both aware), which the page's script counts down."""
    if at is None:
        return NOTHING
    text = f"in {duration(max(at - now, datetime.timedelta()))}"
    return format_html('<span data-countdown="{}">{}</span>', second(at), text)


def ago(at: datetime.datetime, now: datetime.datetime) -> str:
    """Return how long a time is over (both aware)."""
    return f"{duration(max(now - at, datetime.timedelta()))} ago"


def number(text: str | None) -> int | None:
    """Return a whole number that an address holds; None where it holds none that a key can be."""
    digits = text or ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(LARGEST))):
        return None
    return min(int(digits), LARGEST)


def said(health: Health) -> tuple[Said, ...]:
    """Return what ``inv jobs.status`` says of a job, without the job's name in front."""
    return tuple(_said(line, unbroken(health.job)) for line in health_lines(health))


def _thirds(parts: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each text and the time behind it, as it is read and as it is shown."""
    for before, at in zip(parts[:-1:2], parts[1::2], strict=True):
        yield before, at, at


def _said(line: str, job: str) -> Said:
    sentence = line.partition(" ")[2].lstrip().removeprefix(job).lstrip(": ")
    text, arrow, command = sentence.rpartition("  ->  ")
    return Said(text=text, command=command) if arrow else Said(text=sentence, command="")
