"""The reports of the migrations: whatever a name or a message holds, each line is harmless."""

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from django_runbook.schema.apply import report as applying
from django_runbook.schema.apply.steps import Holder, LockWait
from django_runbook.schema.fingerprints.differences import Difference, Differences
from django_runbook.schema.management.one_line import short
from django_runbook.schema.review.report.markdown import markdown
from django_runbook.schema.review.report.rollback import tried_lines
from django_runbook.schema.review.report.terminal import lines
from django_runbook.schema.review.rollback import Outcome, Tried
from django_runbook.schema.squash import report as squashing
from django_runbook.schema.squash.proof.verification import Verification
from tests.ops.schema.review.report.test_plan_text import PLAN
from tests.ops.text.hostile import COMMANDS, TEXT, harmful


def poisoned(thing: Any, text: str) -> Any:
    """Return a dataclass with a hostile text behind each of its own, at any depth."""
    if is_dataclass(thing) and not isinstance(thing, type):
        values = {it.name: poisoned(getattr(thing, it.name), text) for it in fields(thing)}
        return replace(
            thing, **{**values, "vendor": "postgresql"} if "vendor" in values else values
        )
    if isinstance(thing, tuple):
        return tuple(poisoned(it, text) for it in thing)
    if isinstance(thing, Path):
        return thing.with_name(f"x{text}y".replace("/", "").replace("\0", ""))
    return f"{text}{thing}{text}" if type(thing) is str and thing else thing


@pytest.mark.slow
@pytest.mark.parametrize("text", [TEXT, *COMMANDS])
@pytest.mark.parametrize("width", [None, 40])
def test_plan(text, width):
    """On a terminal, wrapped or not, and in a pull request."""
    plan = poisoned(PLAN, text)
    assert [harmful(line) for line in lines(plan, width=width) if harmful(line)] == []
    assert all("\n" not in line for line in lines(plan, width=width))
    assert [it for it in harmful(markdown(plan)) if it != "##["] == []


@pytest.mark.parametrize("text", [TEXT, *COMMANDS])
def test_rollback_check(text):
    """What differs after going back."""
    made = Difference(kind="column", table=text, name=text, left=text, right=text)
    found = Tried(
        migration=f"shop.{text}",
        vendor="sqlite",
        outcome=Outcome.DIFFERS,
        seconds=1,
        reasons=(text,),
        back=Differences(logical=(made,), names=(made,), order=(made,)),
        again=Differences(logical=(made,)),
    )
    told = list(tried_lines(found))
    assert len(told) == 6
    assert [harmful(line) for line in told] == [[]] * 6


@pytest.mark.parametrize("text", [TEXT, *COMMANDS])
def test_migrate(text):
    """The plan, and for whom it waits: applications and queries are other people's."""
    assert [harmful(line) for line in applying.plan([(("shop", text), False)], text)] == [[], []]
    holder = Holder(pid=7, application=text, state=text, seconds=1, query=text)
    wait = LockWait(on=text, mode="ShareLock", holders=(holder,))
    assert harmful(applying.waiting(wait)) == []
    assert "\n" not in applying.waiting(wait)


@pytest.mark.parametrize("text", [TEXT, *COMMANDS])
def test_squash(text):
    """Files and failures of a proof."""
    found = Verification(
        file=Path(f"x{text}".replace("/", "").replace("\0", "")),
        engines=(),
        failures=(text,),
        notes=(text,),
    )
    told = list(squashing.verified_lines(found))
    assert [harmful(line) for line in told] == [[]] * 3


def test_a_path_is_one_line():
    """A file may be called anything but a slash and NUL."""
    assert harmful(short(Path(TEXT.replace("\0", "").replace("/", "")))) == []
