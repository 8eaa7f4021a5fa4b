"""What rules, squawk and the rehearsal find in each labelled migration, apart and together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from django_runbook.schema.review.findings.merge import merged
from django_runbook.schema.review.findings.severity import judged
from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rehearsal.rehearsal import rehearse
from django_runbook.schema.review.rules.checking import risks
from django_runbook.schema.review.sql.squawk import squawk
from django_runbook.schema.review.sql.statements import statements
from django_runbook.schema.scratch.databases import Workshop
from django_runbook.schema.scratch.stages import Stage, Stages
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.review.rules.corpus import CASES, Case, install

#: What each sees of a migration: the rules of its warnings and dangers.
SEERS = ("rules", "squawk", "rehearsal", "squawk, rehearsed", "together")


@dataclass(frozen=True)
class Seen:
    """One labelled migration, and what each found."""

    case: Case
    by: dict[str, set[str]]


def named(found: Iterable[Risk]) -> set[str]:
    """Return the rules of warnings and dangers."""
    return {risk.rule for risk in found if risk.severity > Severity.NOTE}


def looked_at(stage: Stage) -> dict[str, set[str]]:
    """Return what each finds in a stage's migration."""
    collected = statements(stage)
    by_rules = risks(stage.migration, stage.state, stage.connection)
    run = [(plan.index, text) for plan in collected.operations for text in plan.statements]
    run += [(None, text) for text in collected.closing]
    by_squawk = squawk(run, atomic=stage.migration.atomic, version=stage.workshop.version)
    made = rehearse(stage, 500)
    found = (
        by_rules,
        by_squawk,
        judged((), made, collected.operations),
        judged(by_squawk, made, collected.operations),
        judged(merged(by_rules, by_squawk), made, collected.operations),
    )
    return dict(zip(SEERS, map(named, found), strict=True))


@pytest.fixture
def table(
    postgresql: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> list[Seen]:
    """Return what is found in each labelled migration."""
    keys = [install(case, make_app, f"c{number:02}") for number, case in enumerate(CASES)]
    stages = stages_on(postgresql)
    made = []
    for case, key in zip(CASES, keys, strict=True):
        with stages.before(key) as stage:
            made.append(Seen(case=case, by=looked_at(stage)))
    return made


@pytest.mark.slow
def test_the_rehearsal_finds_more_and_clears_what_is_harmless(table: list[Seen]) -> None:
    """Together they find every danger; the rehearsal sees what squawk misses, and clears."""
    dangers = [seen for seen in table if seen.case.rule]
    harmless = [seen for seen in table if not seen.case.rule]
    for seen in table:
        cells = (", ".join(sorted(seen.by[name])) or "-" for name in SEERS)
        print(seen.case.name, seen.case.rule or "-", *cells, sep=" | ")
    for name in SEERS:
        right = sum(bool(seen.by[name]) for seen in dangers)
        alarms = sum(bool(seen.by[name]) for seen in harmless)
        print(f"{name}: {right} of {len(dangers)}, false alarms {alarms} of {len(harmless)}")
    assert [seen.case.name for seen in dangers if not seen.by["together"]] == []
    found = {seen.case.name for seen in dangers if seen.by["rehearsal"] and not seen.by["squawk"]}
    assert found >= {
        "updates each row",
        "updates each row by SQL",
        "saves each row",
        "concurrently in a transaction",
    }
    assert {seen.case.name: seen.by["together"] for seen in harmless if seen.by["together"]} == {
        "a few rows of a list": {"rehearsal-failed"}  # get_or_create, and the same value twice
    }
    alarms = {seen.case.name for seen in harmless if "change-type" in seen.by["squawk"]}
    assert alarms == {"longer varchar", "varchar to text", "more digits"}
    assert not any("change-type" in seen.by["squawk, rehearsed"] for seen in harmless)
