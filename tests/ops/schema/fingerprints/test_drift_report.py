"""Each difference from what the migrations build is told with its next step."""

import json

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.fingerprints.reading import fingerprint
from tests.ops.schema.fingerprints.drifting import body, execute, schema_drift
from tests.ops.text.hostile import NAME, harmful

pytestmark = pytest.mark.slow
REPORT = """\
wares_thing:
  extra column extra: integer
    -> Keep it: write a migration that makes it; or remove it (its data is lost): \
ALTER TABLE "wares_thing" DROP COLUMN "extra";
  extra index by_hand: {on}(size, code)
    -> Keep it: write a migration that makes it; or remove it: DROP INDEX "by_hand";
  missing index by_size: {on}(size)
    -> CREATE INDEX "by_size" {at}(size);
unmanaged table legacy: no migration makes it.
    -> Accept it with --ignore legacy, make a model of it, or drop it.
"""


def test_differences_have_their_next_step(live: BaseDatabaseWrapper) -> None:
    """Each says what is there or missing; the statements that it names mend it."""
    execute(
        "DROP INDEX by_size",
        "CREATE INDEX by_hand ON wares_thing (size, code)",
        "ALTER TABLE wares_thing ADD COLUMN extra integer",
        "CREATE TABLE legacy (id integer PRIMARY KEY, note text)",
    )
    on, at = {
        "sqlite": ("on wares_thing ", "on wares_thing "),
        "postgresql": ("USING btree ", 'ON "wares_thing" USING btree '),
    }[live.vendor]
    out, error, code = schema_drift()
    assert body(out) == REPORT.format(on=on, at=at)
    assert (error, code) == ("Drift: 4 differences.", 1)
    execute(
        'ALTER TABLE "wares_thing" DROP COLUMN "extra";',
        'DROP INDEX "by_hand";',
        f'CREATE INDEX "by_size" {at}(size);',
    )
    assert schema_drift("--ignore=leg*")[1:] == ("", 0)


def test_a_table_of_nobody_fails(live: BaseDatabaseWrapper) -> None:
    """Unless it is accepted by its name."""
    execute("CREATE TABLE legacy (id integer)")
    assert schema_drift()[1:] == ("Drift: 1 difference.", 1)
    assert body(schema_drift("--ignore=legacy")[0]) == "1 ignored by --ignore.\nNo drift.\n"


def test_other_columns_and_constraints(postgresql_live: BaseDatabaseWrapper) -> None:
    """What differs is told with both sides; a constraint of PostgreSQL has its statement."""
    execute(
        "ALTER TABLE wares_thing ALTER size TYPE bigint, ALTER code DROP NOT NULL",
        "ALTER TABLE wares_thing DROP CONSTRAINT wares_thing_pkey",
        "ALTER TABLE wares_thing ADD CONSTRAINT above CHECK (size > 0) NOT VALID",
        "ALTER TABLE wares_thing DROP more",
        "CREATE VIEW seen AS SELECT code FROM wares_thing",
    )
    out, error, code = schema_drift()
    assert (
        body(out)
        == """\
(no table):
  extra view seen: SELECT code FROM wares_thing;
    -> Keep it: write a migration that makes it; or accept it: --ignore 'seen'.
wares_thing:
  column code differs: it is integer; migrations make integer NOT NULL
    -> Make it integer NOT NULL again, or write a migration that makes it integer.
  missing column more: text
    -> ALTER TABLE "wares_thing" ADD COLUMN "more" text;
  column size differs: it is bigint NOT NULL; migrations make integer NOT NULL
    -> Make it integer NOT NULL again, or write a migration that makes it bigint NOT NULL.
  extra constraint above: CHECK ((size > 0)) NOT VALID
    -> Keep it: write a migration that makes it; or remove it: \
ALTER TABLE "wares_thing" DROP CONSTRAINT "above";
  missing constraint wares_thing_pkey: PRIMARY KEY (id)
    -> ALTER TABLE "wares_thing" ADD CONSTRAINT "wares_thing_pkey" PRIMARY KEY (id);
"""
    )
    assert (error, code) == ("Drift: 6 differences.", 1)


def test_a_missing_table_is_told_once(live: BaseDatabaseWrapper) -> None:
    """Without its columns, indexes and sequences."""
    execute("DROP TABLE wares_thing")
    out, error, code = schema_drift()
    assert body(out) == (
        "wares_thing:\n"
        "  missing table\n"
        "    -> Make it as its migration does: 'inv db.sql APP NAME' prints how.\n"
    )
    assert (error, code) == ("Drift: 1 difference.", 1)


def test_names_and_order_alone_do_not_fail(postgresql_live: BaseDatabaseWrapper) -> None:
    """They are shown; with --strict they are drift."""
    execute(
        "ALTER INDEX by_size RENAME TO by_length",
        "ALTER TABLE wares_thing RENAME CONSTRAINT wares_thing_pkey TO key",
        "ALTER SEQUENCE wares_thing_id_seq RENAME TO numbers",
        "ALTER TABLE wares_thing DROP code, ADD code integer NOT NULL",
        "CREATE INDEX more ON wares_thing (code)",
    )
    index = {name for name, _text in fingerprint(connections["default"]).entries["index"]}
    assert index == {"wares_thing.by_length", "wares_thing.more"}
    report = """\
{0}: constraint key is called wares_thing_pkey by the migrations (table wares_thing)
    -> ALTER TABLE "wares_thing" RENAME CONSTRAINT "key" TO "wares_thing_pkey";
{0}: index more is called wares_thing_code_4122d68f by the migrations (table wares_thing)
    -> ALTER INDEX "more" RENAME TO "wares_thing_code_4122d68f";
{0}: index by_length is called by_size by the migrations (table wares_thing)
    -> ALTER INDEX "by_length" RENAME TO "by_size";
{0}: sequence numbers is called wares_thing_id_seq by the migrations (table wares_thing)
    -> ALTER SEQUENCE "numbers" RENAME TO "wares_thing_id_seq";
{0}: table wares_thing: columns stand as id, size, more, code; migrations make id, code, size, more
    -> Nothing to do, unless code takes the columns by their place.
"""
    out, error, code = schema_drift()
    assert body(out) == (report.format("shown only") + "No drift, 5 of name or order alone.\n")
    assert (error, code) == ("", 0)
    out, error, code = schema_drift("--strict")
    assert body(out) == report.format("drift")
    assert (error, code) == ("Drift: 5 differences.", 1)


def test_json(live: BaseDatabaseWrapper) -> None:
    """One object, with the exit code of the report."""
    execute("DROP INDEX by_size", "CREATE TABLE legacy (id integer)")
    out, error, code = schema_drift("--json")
    found = json.loads(out)
    (difference,) = found["differences"]["logical"]
    assert (difference["kind"], difference["name"], difference["left"]) == (
        "index",
        "by_size",
        None,
    )
    assert (found["drift"], found["unmanaged"], found["applied"]) == (True, ["legacy"], 2)
    assert (error, code) == ("Drift: 2 differences.", 1)


def test_names_steer_nothing(live: BaseDatabaseWrapper) -> None:
    """A table and a column can be called anything: each is one harmless line, JSON has the name."""
    quoted = '"' + NAME.replace('"', '""') + '"'
    execute(
        f"CREATE TABLE {quoted} (id integer PRIMARY KEY)",
        f"ALTER TABLE wares_thing ADD COLUMN {quoted} integer",
    )
    out, error, code = schema_drift()
    assert (harmful(out), error, code) == ([], "Drift: 2 differences.", 1)
    assert r"unmanaged table ev\x1b]0;title" in out
    assert r"  extra column ev\x1b]0;title" in out
    assert NAME in json.loads(schema_drift("--json")[0])["unmanaged"]
