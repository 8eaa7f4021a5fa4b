"""The command `squash` in this process, and proofs that come out as a test says."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_runbook.schema.management.commands import squash as command
from django_runbook.schema.squash.cuts import Repaired
from django_runbook.schema.squash.proof.results import Proof
from django_runbook.schema.squash.squash_plan import SquashPlan
from tests.ops.schema.squash.plan_and_proof import BROKEN, PLAN


@pytest.fixture
def squash() -> Callable[..., tuple[int, str, str]]:
    """Return what runs the command: its exit code, what it prints, and its errors."""

    def run(*argv: str) -> tuple[int, str, str]:
        out, err = StringIO(), StringIO()
        try:
            call_command("squash", *argv, stdout=out, stderr=err)
        except CommandError as error:
            return error.returncode, out.getvalue(), f"{err.getvalue()}{error}\n"
        return 0, out.getvalue(), err.getvalue()

    return run


@pytest.fixture
def proves(monkeypatch: pytest.MonkeyPatch) -> Callable[[Proof], list[Any]]:
    """Return what makes the proof come out as given, and what is asked and written."""

    def prepare(proof: Proof, plan: SquashPlan = PLAN) -> list[Any]:
        seen: list[Any] = []

        def proved(_loader: Any, *args: Any, progress: Any, **kwargs: Any) -> Repaired:
            seen.append((args, kwargs))
            progress("sqlite", "from zero", 1, 2)
            progress("sqlite", "from zero", 2, 2)
            return Repaired(
                plan=plan,
                proof=proof,
                cuts=("0005_index",),
                caused=(BROKEN.defects[0],),
                kept_in=("0006_more: 1",),
            )

        def land(plan: SquashPlan, _proof: Proof) -> tuple[Path, ...]:
            seen.append("written")
            return (plan.segments[0].file,)

        monkeypatch.setattr(command, "proved_plan", proved)
        monkeypatch.setattr(command, "land", land)
        return seen

    return prepare
