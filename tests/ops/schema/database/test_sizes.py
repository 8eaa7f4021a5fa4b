"""Snapshots of sizes: taken without writing, read strictly, and put beside the risks."""

import datetime
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from django_runbook.schema.database.sizes import Sizes, SizesError, TableSize, load, table_sizes
from django_runbook.schema.review.findings.at_sizes import at_sizes, readable
from django_runbook.schema.review.plan import Rehearsal, Risk, Severity, TableEffect
from django_runbook.schema.scratch.databases import Workshop, in_place

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
LARGE = TableSize(rows=310_000_000, table_bytes=33 * 1024**3, index_bytes=8 * 1024**3)
SMALL = TableSize(rows=12, table_bytes=8192, index_bytes=16384)
GOOD = (
    '{"format": 1, "taken_at": "2026-03-01T12:00:00+00:00", "vendor": "postgresql", '
    '"version": "18.1", "tables": {"thing": {"rows": 1, "table_bytes": 2, "index_bytes": null}}}'
)


def snapshot(**tables: TableSize) -> Sizes:
    """Return a snapshot of a server."""
    return Sizes(taken_at=NOW, vendor="postgresql", version="18.1", tables=tables)


def test_postgresql_tells_estimates_and_bytes(postgresql: Workshop) -> None:
    """Analysed tables have estimates, small others are counted, partitions are summed up."""
    with in_place(postgresql.create(), "default"), connection.cursor() as cursor:
        cursor.execute("""
            CREATE TABLE analysed (id int PRIMARY KEY, note text);
            INSERT INTO analysed SELECT g, repeat('x', 100) FROM generate_series(1, 1000) AS g;
            ANALYZE analysed;
            DELETE FROM analysed WHERE id > 900;
            CREATE TABLE counted AS SELECT g FROM generate_series(1, 20) AS g;
            CREATE TABLE empty (id int);
            CREATE TABLE parts (id int) PARTITION BY RANGE (id);
            CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
            CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
            INSERT INTO parts SELECT g FROM generate_series(50, 149) AS g;
            ANALYZE part1; ANALYZE part2;
            CREATE VIEW looked AS SELECT 1;
        """)
        made = table_sizes("default", now=NOW)
    assert {name: size.rows for name, size in made.tables.items()} == {
        "analysed": 1000,
        "counted": 20,
        "empty": 0,
        "parts": 100,
    }
    size = made.tables["analysed"]
    assert size.table_bytes > 100_000
    assert 16_384 <= size.index_bytes < size.table_bytes
    assert size.bytes == size.table_bytes + size.index_bytes
    assert (made.vendor, made.version, made.taken_at) == ("postgresql", postgresql.version, NOW)


def test_a_large_table_that_was_never_analysed_is_not_counted(
    postgresql: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting it could take minutes: its rows are not known then, its bytes are."""
    monkeypatch.setattr("django_runbook.schema.database.sizes.COUNTABLE", 1000)
    with in_place(postgresql.create(), "default"), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE thing AS SELECT 1 AS id")
        size = table_sizes("default", now=NOW).tables["thing"]
    assert (size.rows, size.table_bytes) == (None, 8192)


def test_nothing_is_written(postgresql: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is read-only: the server itself refuses a write in it."""
    monkeypatch.setattr(
        "django_runbook.schema.database.sizes.POSTGRESQL", "CREATE TABLE thing (id int)"
    )
    with (
        in_place(postgresql.create(), "default"),
        pytest.raises(Exception, match="cannot execute CREATE TABLE in a read-only transaction"),
    ):
        table_sizes("default", now=NOW)


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_sqlite_counts(shop: Workshop) -> None:
    """SQLite's rows are counted; its bytes are there where it was built with dbstat."""
    with in_place(shop.create(), "default"), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE thing (id integer PRIMARY KEY, name varchar(9) UNIQUE)")
        cursor.execute("INSERT INTO thing (id, name) VALUES (1, 'a'), (2, 'b')")
        made = table_sizes("default", now=NOW)
    assert made.tables["thing"].rows == 2
    assert made.tables["thing"].bytes in {None, 8192}


def test_an_sqlite_file_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for sizes makes no database."""
    file = tmp_path / "no.sqlite3"
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", str(file))
    if connection.vendor == "sqlite":
        with pytest.raises(SizesError, match=r"no\.sqlite3\. Run 'inv db.migrate' first\.$"):
            table_sizes("default", now=NOW)
    assert not file.exists()


def test_other_engines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of MariaDB and MySQL nothing is read, which is said."""
    monkeypatch.setattr(type(connections["default"]), "vendor", "mysql")
    monkeypatch.setattr(type(connections["default"]), "display_name", "MariaDB")
    with pytest.raises(SizesError, match=r"^The sizes of MariaDB are not read: P"):
        table_sizes("default", now=NOW)


@pytest.mark.django_db
def test_the_command_prints_what_load_reads(tmp_path: Path) -> None:
    """Names and numbers are printed as JSON, nothing of the target besides, and read back whole."""
    printed = StringIO()
    call_command("table_sizes", stdout=printed)
    file = tmp_path / "sizes.json"
    file.write_text(printed.getvalue())
    made = load(file)
    assert made.to_json() + "\n" == printed.getvalue()
    facts = json.loads(printed.getvalue())
    assert list(facts) == ["format", "taken_at", "vendor", "version", "tables"]
    assert {"users_user", "django_migrations"} <= made.tables.keys()
    assert made.tables["django_migrations"].rows > 5


def test_the_command_fails_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is a command's error, without a traceback."""
    monkeypatch.setattr(type(connections["default"]), "vendor", "oracle")
    with pytest.raises(CommandError, match=r"^The sizes of \w+ are not read"):
        call_command("table_sizes")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "no snapshot of sizes in format 1"),
        (GOOD.replace("1,", "2,", 1), "no snapshot of sizes in format 1"),
        (GOOD.replace('"vendor"', '"engine"'), "engine is no key of a snapshot"),
        (GOOD.replace('"18.1"', "18.1"), "version is 18.1, a text is allowed"),
        (GOOD.replace("2026-03-01T", "x"), "Invalid isoformat string: 'x12:00:00+00:00'"),
        (GOOD.replace("+00:00", ""), "taken_at is 2026-03-01T12:00:00, without a time zone"),
        (GOOD.replace('"tables": {', '"tables": [').replace("}}}", "}]}"), None),
        (GOOD.replace('"rows": 1, ', ""), "thing has not just rows, table_bytes, index_bytes"),
        (
            GOOD.replace('"rows": 1', '"rows": -1'),
            "thing.rows is -1, a whole number or null is allowed",
        ),
        (
            GOOD.replace('"rows": 1', '"rows": true'),
            "thing.rows is True, a whole number or null is allowed",
        ),
        (
            GOOD.replace('"rows": 1', '"rows": 1.5'),
            "thing.rows is 1.5, a whole number or null is allowed",
        ),
    ],
)
def test_bad_files_are_told_in_one_line(tmp_path: Path, text: str, error: str | None) -> None:
    """What is no snapshot names the file, what is wrong in it, and the command that mends it."""
    file = tmp_path / "sizes.json"
    file.write_text(text)
    with pytest.raises(SizesError) as raised:
        load(file)
    assert "\n" not in str(raised.value)
    if error:
        assert str(raised.value) == f"{file}: {error}. Write it anew with 'inv db.sizes'."


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A file that is not there, or that is no text, names the command that writes it."""
    with pytest.raises(SizesError, match=r"No such file or directory\. Write it with 'inv db.siz"):
        load(tmp_path / "no.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(SizesError, match="Write it anew"):
        load(tmp_path / "bytes.json")


def seen(rule: str, sizes: Sizes, severity: Severity = Severity.DANGER, **other: Any) -> Any:
    """Return the severity of a risk and what it means, where an operation did ``other``."""
    effect = {"operation": 0, "table": "thing", "rows": 9, "lock": "AccessExclusiveLock", **other}
    made = Risk(
        rule=rule,
        severity=severity,
        reason="",
        rewrite="",
        source="rules",
        operation=0,
        table="thing",
    )
    [risk] = at_sizes([made], Rehearsal(effects=(TableEffect(**effect),)), sizes)
    return risk.severity.name, risk.at_size


def test_what_a_risk_means_there() -> None:
    """Rewrites, scans and changes are told in the rows and bytes of the real table."""
    sizes = snapshot(thing=LARGE)
    assert [
        seen("change-type", sizes, rewritten=True),
        seen("add-check", sizes, scanned=9),
        seen("changes-every-row", sizes, changed=9, lock="RowExclusiveLock"),
        seen("rename-column", sizes),
        seen("change-type", sizes, Severity.NOTE),
        seen("change-type", snapshot()),
    ] == [
        ("DANGER", "rewrites 41 GB (310,000,000 rows) under ACCESS EXCLUSIVE"),
        ("DANGER", "reads 41 GB (310,000,000 rows) under ACCESS EXCLUSIVE"),
        ("DANGER", "changes 310,000,000 rows (41 GB)"),
        ("DANGER", ""),
        ("NOTE", ""),
        ("DANGER", ""),
    ]


def test_what_takes_time_alone_is_a_note_on_a_small_table() -> None:
    """A rewrite of twelve rows is done in a moment; a NULL among them fails all the same."""
    sizes = snapshot(thing=SMALL)
    assert seen("rewrites-table", sizes, rewritten=True) == (
        "NOTE",
        "rewrites 24 kB (12 rows) under ACCESS EXCLUSIVE: done in a moment",
    )
    assert seen("set-not-null", sizes, scanned=9) == (
        "DANGER",
        "reads 24 kB (12 rows) under ACCESS EXCLUSIVE",
    )
    unknown = TableSize(rows=None, table_bytes=8192, index_bytes=0)
    assert seen("scans-table", snapshot(thing=unknown), scanned=9) == (
        "DANGER",
        "reads 8.0 kB (an unknown number of rows) under ACCESS EXCLUSIVE",
    )


def test_without_a_rehearsal_the_size_alone_is_told() -> None:
    """Where nothing was rehearsed, how large the table is still helps."""
    risk = Risk(
        rule="add-index",
        severity=Severity.DANGER,
        reason="",
        rewrite="",
        source="rules",
        operation=0,
        table="thing",
    )
    assert at_sizes([risk], None, snapshot(thing=LARGE))[0].at_size == "310,000,000 rows, 41 GB"


def test_bytes_as_people_say_them() -> None:
    """One digit after the point below ten, none above, and no unit beyond terabytes."""
    numbers = (0, 1023, 1024, 10 * 1024, 1536 * 1024, 5 * 1024**5)
    assert [readable(number) for number in numbers] == [
        "0 bytes",
        "1023 bytes",
        "1.0 kB",
        "10 kB",
        "1.5 MB",
        "5120 TB",
    ]
