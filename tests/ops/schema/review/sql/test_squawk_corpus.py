"""How many labelled dangers the rules find, squawk, and both; and their false alarms."""

from collections.abc import Callable, Iterable

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from django_runbook.schema.review.findings.merge import merged
from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.checking import risks
from django_runbook.schema.review.sql.squawk import squawk
from django_runbook.schema.review.sql.statements import statements
from django_runbook.schema.scratch.databases import Workshop, in_place
from django_runbook.schema.scratch.stages import Key, Stage, apply
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.review.rules.corpus import CASES, Case, install
from tests.ops.schema.review.rules.harmless import HARMLESS
from tests.ops.schema.review.rules.hazards import HAZARDS

Found = tuple[tuple[Risk, ...], tuple[Risk, ...]]


Look = Callable[[Iterable[Case]], dict[str, Found]]


@pytest.fixture
def look(postgresql: Workshop, make_app: MakeApp) -> Look:
    """Return what says what the rules and what squawk find, one case after the other."""

    def looked(cases: Iterable[Case]) -> dict[str, Found]:
        keys = {case.name: install(case, make_app, f"c{n:02}") for n, case in enumerate(cases)}
        graph, connection = MigrationLoader(None).graph, postgresql.create()
        with in_place(connection, "default"):
            return {name: _found(graph, key, connection, postgresql) for name, key in keys.items()}

    return looked


def _found(
    graph: MigrationGraph, key: Key, connection: BaseDatabaseWrapper, made: Workshop
) -> Found:
    state = ProjectState()
    for parent in graph.forwards_plan(key)[:-1]:
        state = apply(graph.nodes[parent], state, connection)
    migration = graph.nodes[key]
    stage = Stage(migration=migration, state=state, connection=connection, workshop=made)
    collected = statements(stage)
    run = [(plan.index, text) for plan in collected.operations for text in plan.statements]
    run += [(None, text) for text in collected.closing]
    by_squawk = squawk(run, atomic=migration.atomic, version=made.version)
    return risks(migration, state, connection), by_squawk


def names(found: tuple[Risk, ...]) -> set[str]:
    """Return the rules of the warnings and dangers."""
    return {risk.rule for risk in found if risk.severity > Severity.NOTE}


def sees(case: Case, found: Found) -> tuple[bool, bool, bool]:
    """Return whether the danger of a case is found by the rules, by squawk, and together."""
    rules, squawks = found
    together = merged(rules, squawks)
    by_squawk = any(risk.rule == case.rule and "squawk" in risk.source for risk in together)
    return case.rule in names(rules), by_squawk, case.rule in names(together)


def row(case: Case, seen: tuple[bool, ...]) -> str:
    """Return a line of the table."""
    marks = " ".join(f"{'x' if each else '-':>6}" for each in seen)
    return f"{case.rule:28} {case.name:64} {marks}"


def test_the_rules_clear_false_alarms(look: Look) -> None:
    """What squawk alone takes for a danger is a note where the rules know better."""
    chosen = {"varchar to text", "drop a column that was forgotten", "rename field"}
    found = look(case for case in CASES if case.name in chosen)
    alone = {name: names(both[1]) for name, both in found.items()}
    together = {
        name: [(risk.rule, risk.severity.name, risk.source) for risk in merged(*both)]
        for name, both in found.items()
    }
    assert alone == {
        "rename field": {"rename-column"},
        "varchar to text": {"change-type"},
        "drop a column that was forgotten": {"drop-column"},
    }
    assert together == {
        "rename field": [("rename-column", "DANGER", "rules, squawk")],
        "varchar to text": [("change-type", "NOTE", "rules, squawk")],
        "drop a column that was forgotten": [("drop-column", "NOTE", "rules, squawk")],
    }


@pytest.mark.slow
def test_who_finds_what(look: Look) -> None:
    """The rules find every labelled danger, squawk two of three, both no harmless migration."""
    found = look(CASES)
    seen = {case.name: sees(case, found[case.name]) for case in HAZARDS}
    print(f"\n{'rule':28} {'migration':64}  rules squawk   both")
    for case in HAZARDS:
        print(row(case, seen[case.name]))
    alarms = {
        source: [case.name for case in HARMLESS if names(risks_of(found[case.name]))]
        for source, risks_of in (
            ("rules", lambda both: both[0]),
            ("squawk", lambda both: both[1]),
            ("together", lambda both: merged(*both)),
        )
    }
    counts = [sum(each[place] for each in seen.values()) for place in range(3)]
    print(f"{len(HAZARDS)} dangers found: rules {counts[0]}, squawk {counts[1]}, both {counts[2]}")
    print(f"{len(HARMLESS)} harmless, taken for dangers: {alarms}")
    assert counts == [len(HAZARDS), 38, len(HAZARDS)]
    assert alarms == {
        "rules": [],
        "squawk": [
            "add nullable field with a default",
            "add field with the time of the migration",
            "longer varchar",
            "varchar to text",
            "more digits",
            "drop a column that was forgotten",
        ],
        "together": [],
    }
