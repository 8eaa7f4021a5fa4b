"""What Django defers to the end of a file: where a row is cut for it, and that this is right."""

import pytest
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from django_runbook.schema.fingerprints.reading import fingerprint
from django_runbook.schema.history.graph import loaded
from django_runbook.schema.scratch.databases import Workshop, in_place
from django_runbook.schema.scratch.stages import apply
from django_runbook.schema.squash.plan.ranges import chain
from django_runbook.schema.squash.plan.segments import plan
from django_runbook.schema.squash.squash_plan import SquashPlan
from django_runbook.schema.squash.write import staging
from django_runbook.schema.squash.write.replacement import segment
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.fingerprints.fingerprinting import kinds
from tests.ops.schema.squash.plan.trapped import (
    CASES,
    OWNER,
    PLAIN,
    Case,
    app_with,
    change,
    files,
    run,
)


def migrated(loader: MigrationLoader, made: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
    """Apply the app's migrations, each as a file of its own."""
    (leaf,) = loader.graph.leaf_nodes("shop")
    state = ProjectState()
    with in_place(made, "default"):
        for key in loader.graph.forwards_plan(leaf):
            state = apply(loader.graph.nodes[key], state, made)
    return made


def told(name: str, make_app: MakeApp) -> tuple[Case, SquashPlan]:
    """Install a case's app; return the case with its plan."""
    operations, case = CASES[name]
    app_with(make_app, operations)
    return case, plan(loaded(), "shop")


@pytest.mark.parametrize("name", CASES)
def test_where_a_row_is_cut(name: str, make_app: MakeApp) -> None:
    """Each case becomes the fewest files that are right, and says why they are not fewer."""
    case, found = told(name, make_app)
    reasons = [case.reason] if case.reason else []
    assert (files(found), [one.reason for one in found.blockers]) == (case.files, reasons)


FIRST, *OTHERS = CASES


@pytest.mark.parametrize(
    "name", [FIRST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_postgresql_agrees(name: str, make_app: MakeApp, postgresql: Workshop) -> None:
    """The files give the old schema; one file for all is as wrong as the rule has it, or right."""
    case, found = told(name, make_app)
    old = loaded()
    before = fingerprint(migrated(old, postgresql.create()))
    after = fingerprint(migrated(staging.loader(found.segments), postgresql.create()))
    assert kinds(before, after) == case.names
    one = segment(old, "shop", chain(old, "shop"))
    alone = staging.loader([one])
    if case.one_file == "fails":
        with pytest.raises((DatabaseError, ValueError)):
            migrated(alone, postgresql.create())
    else:
        there = fingerprint(migrated(alone, postgresql.create()))
        assert kinds(before, there) == (case.one_file or case.names)


BEGIN = "It begins a file of its own."


LATER = {
    "rows, then the table": (
        "2 34 5",
        [
            ("0003", "alters shop.thing after its rows may have changed: pending trigger events"),
            ("0005", "alters shop.thing after its rows may have changed: pending trigger events"),
        ],
    ),
    "a new key, then rows": (
        "23 4",
        [("0004", "may change rows of shop.thing before an index of more is made")],
    ),
}


@pytest.mark.parametrize("name", LATER)
def test_rows_that_are_there(name: str, make_app: MakeApp) -> None:
    """Where the tables stand in earlier files their rows have triggers: more files are needed."""
    app_with(make_app, CASES[name][0])
    found = plan(loaded(), "shop", "0002")
    wanted, reasons = LATER[name]
    assert files(found) == wanted
    assert [(one.migration, one.reason, one.fix) for one in found.blockers] == [
        (*reason, BEGIN) for reason in reasons
    ]


TRIGGER = """
CREATE FUNCTION shop_check() RETURNS TRIGGER LANGUAGE plpgsql AS $code$
BEGIN
    PERFORM 1 FROM shop_owner;
    UPDATE shop_thing SET name = 'b' WHERE false;
    RETURN NEW;
END $code$;
CREATE TRIGGER shop_check BEFORE INSERT OR UPDATE ON shop_thing
    FOR EACH ROW EXECUTE FUNCTION shop_check();
"""
TABLES = f"{OWNER}, {PLAIN}"
ALTERED = change("name", "TextField()")


def sql(text: str) -> str:
    """Return an operation that runs SQL."""
    return f"migrations.RunSQL({text!r}, migrations.RunSQL.noop)"


HARMLESS = {
    "all is checked": ([run("insert"), sql("SET CONSTRAINTS ALL IMMEDIATE"), ALTERED], "234"),
    "code that does not run": ([sql(TRIGGER), ALTERED], "23"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMLESS)
def test_no_event_is_pending(name: str, make_app: MakeApp, postgresql: Workshop) -> None:
    """Where the table stands in an earlier file, too, one file is right."""
    operations, wanted = HARMLESS[name]
    app_with(make_app, [TABLES, *operations])
    old = loaded()
    found = plan(old, "shop", "0002")
    assert (files(found), found.blockers) == (wanted, ())
    before = fingerprint(migrated(old, postgresql.create()))
    after = fingerprint(migrated(staging.loader(found.segments), postgresql.create()))
    assert kinds(before, after) == ""


@pytest.mark.parametrize(
    "text",
    [
        "DO $$ BEGIN UPDATE shop_thing SET name = 'b'; END $$",
        TRIGGER + "UPDATE shop_thing SET name = 'b';",
        "CREATE TABLE more AS SELECT shop_change()",
    ],
)
def test_code_that_runs_changes_rows(text: str, make_app: MakeApp) -> None:
    """A block, a statement beside a function, and one that may call a function."""
    app_with(make_app, [TABLES, sql(text), ALTERED])
    assert files(plan(loaded(), "shop", "0002")) == "2 3"


@pytest.mark.slow
@pytest.mark.parametrize("name", LATER)
def test_postgresql_refuses_pending_events(
    name: str, make_app: MakeApp, postgresql: Workshop
) -> None:
    """One file that changes rows with foreign keys, and then their table, fails as it is said."""
    app_with(make_app, CASES[name][0])
    old = loaded()
    own = chain(old, "shop")
    with pytest.raises(DatabaseError, match="pending trigger events"):
        migrated(staging.loader([segment(old, "shop", own[1:])]), postgresql.create())
    files = plan(old, "shop", "0002").segments
    before = fingerprint(migrated(old, postgresql.create()))
    assert kinds(before, fingerprint(migrated(staging.loader(files), postgresql.create()))) == ""


def test_of_several_tables_the_same_one_is_named(make_app: MakeApp) -> None:
    """The first by its name, whatever the order in which they were made."""
    tables = ", ".join(f"{PLAIN.replace('Thing', name)}" for name in ("Zebra", "Ant"))
    key = 'migrations.AddField("{}", "more", models.ForeignKey("Owner", models.CASCADE, null=True))'
    keys = ", ".join(key.format(name) for name in ("Zebra", "Ant"))
    app_with(make_app, [f"{OWNER}, {tables}", keys, sql("SELECT shop_change()")])
    (blocker,) = plan(loaded(), "shop", "0002").blockers
    assert blocker.reason == "may change rows of shop.ant before an index of more is made"
