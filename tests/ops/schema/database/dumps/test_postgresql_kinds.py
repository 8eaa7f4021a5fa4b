"""A restore in place brings back every kind of object that pg_dump writes, and leaves no other."""

import subprocess

import psycopg
import pytest

from django_runbook.schema.database.dumps.postgresql import _pg_dump
from tests.engines import server_settings, worker
from tests.ops.schema.database.saving import manage

#: Statements that make one of each kind, by name; ``{0}`` is put before what has no schema.
KINDS = """
CREATE SCHEMA {0}schema
CREATE EXTENSION hstore SCHEMA {0}schema
CREATE TABLE {0}t (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, h {0}schema.hstore)
CREATE TABLE {0}schema.t2 (id int PRIMARY KEY REFERENCES {0}t)
CREATE TABLE {0}parts (id int) PARTITION BY RANGE (id)
CREATE TABLE {0}part PARTITION OF {0}parts FOR VALUES FROM (1) TO (9)
CREATE PUBLICATION {0}all FOR ALL TABLES
CREATE PUBLICATION {0}some FOR TABLE {0}t, TABLES IN SCHEMA {0}schema
CREATE FOREIGN DATA WRAPPER {0}wrapper
CREATE SERVER {0}server FOREIGN DATA WRAPPER {0}wrapper
CREATE USER MAPPING FOR CURRENT_USER SERVER {0}server
CREATE FOREIGN TABLE {0}foreign (id int) SERVER {0}server
CREATE FUNCTION {0}watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; END'
CREATE EVENT TRIGGER {0}watcher ON ddl_command_end EXECUTE FUNCTION {0}watch()
CREATE TYPE {0}mood AS ENUM ('sad', 'glad')
CREATE DOMAIN {0}positive AS int CHECK (VALUE > 0)
CREATE FUNCTION {0}to_mood(int) RETURNS {0}mood LANGUAGE sql AS 'SELECT NULL::{0}mood'
CREATE CAST (int AS {0}mood) WITH FUNCTION {0}to_mood(int)
CREATE FUNCTION {0}handler() RETURNS language_handler LANGUAGE c AS {1}
CREATE LANGUAGE {0}language HANDLER {0}handler
CREATE ACCESS METHOD {0}method TYPE INDEX HANDLER bthandler
CREATE VIEW {0}view AS SELECT id FROM {0}t
CREATE MATERIALIZED VIEW {0}kept AS SELECT id FROM {0}t
CREATE SEQUENCE {0}sequence
CREATE STATISTICS {0}statistics ON id, n FROM {0}t
CREATE COLLATION {0}collation (locale = 'C')
CREATE TEXT SEARCH CONFIGURATION {0}search (COPY = simple)
CREATE PROCEDURE {0}procedure() LANGUAGE sql AS 'SELECT 1'
CREATE AGGREGATE {0}total(int) (SFUNC = int4pl, STYPE = int)
CREATE OPERATOR === (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)
CREATE RULE {0}rule AS ON INSERT TO {0}view DO INSTEAD NOTHING
CREATE POLICY {0}policy ON {0}t USING (id > 0)
ALTER DEFAULT PRIVILEGES IN SCHEMA {0}schema GRANT SELECT ON TABLES TO PUBLIC
COMMENT ON SCHEMA {0}schema IS 'a comment'
SELECT lo_from_bytea(0, 'large')
"""
HANDLER = "'$libdir/plpgsql', 'plpgsql_call_handler'"
#: PostgreSQL has one in a database, whatever its name.
ONCE = ("CREATE EXTENSION", "CREATE OPERATOR", "CREATE TABLE {0}t ")


def make(database, prefix):
    """Make one of each kind."""
    for statement in KINDS.strip().splitlines():
        if prefix == "mine_" or not statement.startswith(ONCE):
            database.run(statement.format(prefix, HANDLER))
        elif "{0}t " in statement:
            database.run(f"CREATE TABLE {prefix}t (id int PRIMARY KEY, n int)")


def schema(database):
    """Return pg_dump's own list of all objects, with their owners and what is said of them.

    Not their SQL: PostgreSQL writes the expression of a constraint in other words the second time.
    """
    argv = [_pg_dump(18), "--schema-only", "--no-owner", database.url]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return [line for line in text.splitlines() if line.startswith(("-- Name: ", "COMMENT "))]


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_every_kind_is_restored_in_place(database, tmp_path):
    """The database is again what it was: no object lacks, none is left, none was in the way."""
    make(database, "mine_")
    before = schema(database)
    assert sum("mine_" in line for line in before) >= 35
    assert manage("backup", "--output", tmp_path / "saved")[0] == 0
    make(database, "later_")
    assert schema(database) != before
    for _ in range(2):
        code, said = manage("restore", tmp_path / "saved")
        assert code == 0, said
        assert schema(database) == before
    assert database.run("SELECT count(*) FROM pg_largeobject_metadata") == [1]


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_event_trigger_that_forbids_drops_is_no_hindrance(database, tmp_path):
    """It goes first, and is there again afterwards."""
    database.run(
        "CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RAISE 'no drops'; END $$",
        "CREATE EVENT TRIGGER forbid ON sql_drop EXECUTE FUNCTION forbid()",
    )
    assert manage("backup", "--output", tmp_path / "saved")[0] == 0
    assert manage("restore", tmp_path / "saved")[0] == 0
    with pytest.raises(psycopg.errors.RaiseException, match="no drops"):
        database.run("DROP TABLE auth_group CASCADE")


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_subscription_is_refused(database, saved):
    """A database that subscribes cannot be emptied in a transaction: exit code 3, all as it was."""
    name = f"subscription_{worker()}"
    conninfo = f"dbname={server_settings(database.url)['NAME']}"
    database.run(
        f"CREATE SUBSCRIPTION {name} CONNECTION '{conninfo}' PUBLICATION p WITH (connect = false)"
    )
    code, said = manage("restore", saved)
    assert (code, said) == (
        3,
        (
            f"The database subscribes to {name}, which no transaction can drop: run ALTER "
            "SUBSCRIPTION ... DISABLE, SET (slot_name = NONE), DROP SUBSCRIPTION, and make it anew "
            "after the restore."
        ),
    )
    assert database.groups == ["after", "before"]
    assert manage("backup", "--output", saved.with_name("second"))[0] == 0
    for change in ("DISABLE", "SET (slot_name = NONE)"):
        database.run(f"ALTER SUBSCRIPTION {name} {change}")
    database.run(f"DROP SUBSCRIPTION {name}")
    assert manage("restore", saved.with_name("second"))[0] == 0
    assert database.run("SELECT count(*) FROM pg_subscription WHERE subname = '" + name + "'") == [
        0
    ]


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_rows_of_an_extensions_own_table(database, tmp_path):
    """pg_dump writes those that the extension did not bring; they are replaced, the others stay."""
    config = "extconfig = ARRAY['config'::regclass::oid], extcondition = ARRAY['WHERE id > 10']"
    database.run(
        "CREATE EXTENSION hstore",
        "CREATE TABLE config (id int PRIMARY KEY)",
        "ALTER EXTENSION hstore ADD TABLE config",
        f"UPDATE pg_extension SET {config} WHERE extname = 'hstore'",
        "INSERT INTO config VALUES (1), (11)",
    )
    assert manage("backup", "--output", tmp_path / "saved")[0] == 0
    database.run("INSERT INTO config VALUES (12)")
    code, said = manage("restore", tmp_path / "saved")
    assert code == 0, said
    assert database.run("SELECT id FROM config ORDER BY id") == [1, 11]
