"""SQLite is saved and restored with open connections, and only where it is sound."""

import sqlite3
from pathlib import Path

import pytest

from django_runbook.schema.database.dumps import sqlite
from tests.ops.schema.database.saving import ADD, GROUPS, manage


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_no_database_yet(saved, empty, tmp_path, monkeypatch):
    """A backup of an SQLite file that is not there fails; a restore makes it, or leaves none."""

    def full(_alias, _source, target):
        target.execute("PRAGMA user_version=1")
        raise sqlite3.OperationalError("database or disk is full")

    file = Path(empty.url.removeprefix("sqlite:///"))
    said = (
        f"{file}: no such file. Check the path in DATABASE_URL or DATABASES; 'inv db.migrate' "
        "makes a new database."
    )
    assert manage("backup", "--output", tmp_path / "b") == (1, said)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_copy", full)
        assert manage("restore", saved) == (1, "sqlite3 failed: database or disk is full.")
    assert not file.exists()
    assert manage("restore", saved)[0] == 0
    assert empty.groups == ["before"]


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_wal_with_readers_and_a_writer(database, tmp_path):
    """Nobody waits: a reader keeps its state, and what is not committed is not saved."""
    file = tmp_path / "saved"
    database.run("PRAGMA journal_mode=WAL")
    with database.connect() as reader, database.connect() as writer:
        reader.execute("BEGIN")
        assert reader.execute(GROUPS).fetchall() == [("before",)]
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(ADD.format("uncommitted"))
        assert manage("backup", "--output", file)[0] == 0
        assert file.read_bytes()[18:20] == b"\1\1"  # not in WAL mode: one file is all (fileformat2)
        writer.execute("COMMIT")
        assert manage("restore", file)[0] == 0
        assert reader.execute(GROUPS).fetchall() == [("before",)]
        reader.execute("COMMIT")
        assert reader.execute(GROUPS).fetchall() == [("before",)]
        writer.execute(ADD.format("next"))
        assert reader.execute(GROUPS).fetchall() == [("before",), ("next",)]
    assert database.run("PRAGMA journal_mode", "PRAGMA integrity_check") == ["ok"]
    assert database.run("PRAGMA journal_mode") == ["wal"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved", "saved.json"]


@pytest.mark.engines("sqlite")
def test_wal_with_pages_of_another_size(saved, empty):
    """SQLite cannot change them; its own message would speak of a file that is read-only."""
    with empty.connect() as connection:
        for statement in ("PRAGMA page_size=8192", "PRAGMA journal_mode=WAL"):
            connection.execute(statement).fetchall()
    code, said = manage("restore", saved)
    assert (code, empty.tables) == (1, set())
    assert said.startswith("The backup has pages of 4096 bytes, the database of 8192, and WAL")


@pytest.mark.engines("sqlite")
def test_damaged_database_is_not_saved(database, tmp_path):
    """A backup of it would only be found out on the day that it is needed."""
    file = Path(database.url.removeprefix("sqlite:///"))
    content = bytearray(file.read_bytes())
    content[-8192:] = b"x" * 8192
    file.write_bytes(content)
    code, said = manage("backup", "--output", tmp_path / "saved")
    assert (code, "damaged" in said or "malformed" in said) == (1, True), said
    assert list(tmp_path.iterdir()) == []
