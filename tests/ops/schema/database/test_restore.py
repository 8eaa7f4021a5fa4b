"""A restore brings back every row, or changes nothing."""

from pathlib import Path

import pytest

from django_runbook.schema.database.dumps import postgresql
from tests.ops.schema.database.saving import GROUPS, describe, manage, source


def test_restore_brings_back_every_row(database, engine, tmp_path):
    """Changed rows are as they were, and what came after the backup is gone, tables included."""
    file = tmp_path / "a file"
    code, said = manage("backup", "--output", file)
    assert (code, said.split(" (")[0]) == (
        0,
        f"Saved {database.name} from {source(database)} to {file}",
    )
    tables = database.tables
    database.add("after")
    database.run("CREATE TABLE later (id integer primary key)", "DELETE FROM auth_permission")
    code, said = manage("restore", file)
    assert (code, said.count("\n")) == (0, 1), said
    assert database.groups == ["before"]
    assert database.tables == tables
    assert database.run("SELECT count(*) FROM auth_permission")[0] > 5
    database.add("next")  # the number after the last one
    assert database.run("SELECT max(id) - min(id) FROM auth_group") == [1]


def test_restore_into_an_empty_database(saved, empty):
    """A new database needs no migrations first."""
    code, said = manage("restore", saved)
    assert code == 0, said
    assert empty.groups == ["before"]
    assert manage("check_migrations")[0] == 0


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda file: file.unlink(), "is no file"),
        (lambda file: Path(f"{file}.json").unlink(), "saved.json is missing"),
        (lambda file: Path(f"{file}.json").write_text("[]"), "does not describe a backup"),
        (lambda file: describe(file, format=2), "does not describe a backup in format 1"),
        (lambda file: describe(file, more=2), "does not describe a backup"),
        (lambda file: describe(file, engine="oracle"), "is a backup of oracle"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "size or SHA-256 differs"),
        (lambda file: file.write_bytes(b"x" + file.read_bytes()[1:]), "size or SHA-256 differs"),
    ],
)
@pytest.mark.engines("sqlite")
def test_changed_backup_is_refused(harm, told, database, saved):
    """A file or manifest that is not as it was written: exit code 3, nothing touched."""
    harm(saved)
    code, said = manage("restore", saved, "--allow-state-change")
    assert code == 3
    assert told in said
    assert database.groups == ["after", "before"]


def test_damaged_backup_that_passes_for_sound(database, saved, engine):
    """Damage that no checksum tells: the restore finds it, and changes nothing."""
    content = bytearray(saved.read_bytes())
    half = len(content) // 2
    content[half:] = bytes(len(content) - half)
    saved.write_bytes(content)
    describe(saved)
    code, said = manage("restore", saved)
    assert (code, database.groups) == (1, ["after", "before"]), said


@pytest.mark.slow
def test_restore_waits_no_longer_than_it_may(database, saved, engine, monkeypatch):
    """A session that reads holds a restore up for a while, and then it fails, untouched."""
    monkeypatch.setattr(postgresql, "LOCK_TIMEOUT", "300ms")
    with database.connect() as reader:
        rows = reader.execute("BEGIN").connection if engine == "sqlite" else reader
        rows.execute("BEGIN" if engine == "postgresql" else GROUPS)
        rows.execute(GROUPS)
        code, said = manage("restore", saved)
        assert code == 1
        assert "another process holds" in said or "stop what uses the database" in said
    assert database.groups == ["after", "before"]
    assert manage("restore", saved)[0] == 0
    assert database.groups == ["before"]
