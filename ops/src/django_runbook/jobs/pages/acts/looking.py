"""What an act would find, looked at within a few seconds of the request; nothing is written."""

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS, connections

from django_runbook.jobs import registry
from django_runbook.jobs.batches.preview import EXAMPLES, Preview, preview_transition
from django_runbook.jobs.batches.stopping import Stop, breakable
from django_runbook.jobs.batches.undo.undo_run import UndoPlan, plan_undo
from django_runbook.jobs.errors import StoppedError
from django_runbook.jobs.models import Batch, Pause, Run
from django_runbook.jobs.pages.acts.answers import Table, UnknownJobError
from django_runbook.jobs.registry import Transition
from django_runbook.schema.database.target import Target, target
from django_runbook.schema.guard.confirmation import in_test_run
from django_runbook.schema.secrets import shown
from django_runbook.text.cleaning import one_line

SECONDS = 5.0  # that a look may take within a request
DRY = "--dry-run"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Known:
    """A job: its transition, where it registers one, and whether it may be started from here.

    A command that was once run as a job is known, and is not therefore offered to everybody.
    """

    name: str
    moved: Transition | None
    startable: bool


def known(name: str) -> Known:
    """Return a job. Raises ``UnknownJobError``, and ``ConfigError`` for a wrong declaration."""
    moved = registry.transitions().get(name)
    startable = bool(moved) or any(job.name == name for job in registry.declared())
    models = (Run, Pause)
    if not startable and not any(each.objects.filter(job=name).exists() for each in models):
        raise UnknownJobError(f"There is no job '{one_line(name)}'. 'inv jobs.list' lists them.")
    return Known(name=name, moved=moved, startable=startable)


def where() -> Target:
    """Return the target of the jobs; in a test run nobody's."""
    return target(DEFAULT_DB_ALIAS, connect=not in_test_run())


def asked_name(at: Target) -> dict[str, str]:
    """Return what the form must know where the target is protected."""
    if not at.protected or in_test_run():
        return {}
    return {"protected": at.name, "why": at.why}


def preview(moved: Transition, now: datetime.datetime) -> Preview | None:
    """Return what a run would find, with examples; None where that takes too long.

    Raises as ``preview_transition`` does.
    """
    stop = Stop(SECONDS)
    return _in_time(lambda: preview_transition(moved, now=now, examples=EXAMPLES, stop=stop))


def plan(pk: int) -> UndoPlan | None:
    """Return what an undo would put back; None where that takes too long. Raises as ``plan_undo``.

    It looks at every batch of the run.
    """
    stop, connection = Stop(SECONDS), connections[DEFAULT_DB_ALIAS]
    return _in_time(lambda: breakable(stop, connection, lambda: plan_undo(pk)))


def keys(pk: int) -> list[str]:
    """Return the keys of the first rows that a run changed."""
    first = Batch.objects.filter(run=pk).order_by("number").first()
    return [one_line(key) for key in first.ids[:EXAMPLES]] if first else []


def examples(seen: Preview) -> Table | None:
    """Return the first rows before and after; None where there are none."""
    if not seen.examples:
        return None
    return Table(
        caption=f"The first {len(seen.examples)}, before and after",
        heads=("Row", "Field", "Before", "After"),
        rows=[
            (one_line(one.pk), name, _text(was), _text(one.after[name]))
            for one in seen.examples
            for name, was in one.before.items()
        ],
    )


def takes_dry_run(name: str) -> bool:
    """Tell whether a job's command has a dry run of its own."""
    app = get_commands().get(name)
    if app is None:
        return False
    command = app if isinstance(app, BaseCommand) else load_command_class(app, name)
    parser = command.create_parser("manage.py", name)
    return any(DRY in action.option_strings for action in parser._actions)


def _in_time(look: Callable[[], T]) -> T | None:
    try:
        return look()
    except StoppedError:
        return None


def _text(value: Any) -> str:
    return shown(one_line(json.dumps(value, ensure_ascii=False, default=str)))
