"""A backup is whole, private and described by its manifest, and it overwrites nothing."""

import hashlib
import json
from pathlib import Path

import pytest
from django.db import connections

from django_runbook.schema.database import states
from django_runbook.schema.database.backups import backup, default_file
from tests.engines import server_settings
from tests.ops.schema.database.saving import NOW, PROFILE, manage, source

SUFFIX = {"sqlite": ".sqlite3", "postgresql": ".dump"}


def test_backup_says_what_it_holds(database, engine, tmp_path):
    """The manifest tells engine, version, name, time, state and checksum; no third file is left."""
    file = tmp_path / "folder" / "saved"
    file.parent.mkdir()
    result = backup(file, now=NOW)
    manifest = json.loads(Path(f"{file}.json").read_text())
    content = file.read_bytes()
    assert (
        manifest["migrations"] == sorted(manifest["migrations"]) == list(states.applied("default"))
    )
    assert PROFILE in manifest["migrations"]
    identifier = ""
    if engine == "postgresql":
        (number,) = database.run("SELECT system_identifier FROM pg_control_system()")
        identifier = str(number)
    assert manifest | {"migrations": [], "server_version": ""} == {
        "format": 1,
        "engine": engine,
        "server_version": "",
        "database": database.name,
        "created": NOW.isoformat(),
        "migrations": [],
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "server": source(database),
        "system": identifier,
    }
    version = connections["default"].get_database_version()
    assert manifest["server_version"] == ".".join(map(str, version))
    assert result.file == file
    assert sorted(path.name for path in file.parent.iterdir()) == ["saved", "saved.json"]


def test_backup_is_its_owners_alone(saved):
    """Others can read neither the rows nor the manifest."""
    for file in (saved, Path(f"{saved}.json")):
        assert file.stat().st_mode & 0o777 == 0o600


def test_default_place(database, engine, tmp_path, settings, monkeypatch):
    """It is var/backups of the repository, else ./backups, and git takes no notice of either."""
    settings.BASE_DIR = tmp_path / "backend"
    monkeypatch.chdir(tmp_path)
    assert default_file("default", NOW).parent == Path("backups")
    (tmp_path / "var").mkdir()
    file = backup(now=NOW).file
    name = database.name.removesuffix(SUFFIX[engine])
    assert file == tmp_path / "var/backups" / f"{name}-20260301T041705Z{SUFFIX[engine]}"
    assert (file.parent / ".gitignore").read_text() == "*\n"
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert manage("backup")[0] == 0  # a second one, later


@pytest.mark.engines("sqlite")
def test_backup_overwrites_nothing(database, tmp_path):
    """A file, a manifest and a broken link that have the name keep it: exit code 3."""
    for number, name in enumerate(("saved", "saved.json", "link")):
        file = tmp_path / str(number) / name
        file.parent.mkdir()
        if name == "link":
            file.symlink_to("nowhere")
        else:
            file.write_text("mine")
        output = file.with_name(name.removesuffix(".json"))
        code, said = manage("backup", "--output", output)
        assert (code, said) == (
            3,
            f"{file} exists, and no backup is overwritten: name another file.",
        )
        assert [path.name for path in file.parent.iterdir()] == [name]
        assert file.is_symlink() or file.read_text() == "mine"


@pytest.mark.engines("sqlite")
def test_name_that_was_taken_meanwhile_stays(database, tmp_path, monkeypatch):
    """A file that appears during the dump is not overwritten either, and no manifest stays."""
    file = tmp_path / "saved"
    monkeypatch.setattr(
        "django_runbook.schema.database.manifests.checksum",
        lambda _: (file.write_text("faster"), "sum")[1],
    )
    assert manage("backup", "--output", file)[0] == 3
    assert [path.name for path in tmp_path.glob("*saved*")] == ["saved"]
    assert file.read_text() == "faster"


@pytest.mark.engines("sqlite")
def test_backup_into_no_folder(database, tmp_path):
    """The message names the file and the reason."""
    file = tmp_path / "nowhere" / "saved"
    said = f"{file} cannot be written: No such file or directory. Name another with --output."
    assert manage("backup", "--output", file) == (1, said)


@pytest.mark.engines("sqlite")
def test_migrated_during_the_backup(database, tmp_path, monkeypatch):
    """A backup whose rows may be of another state than its manifest is thrown away."""
    answers = iter([(), (PROFILE,)])
    monkeypatch.setattr("django_runbook.schema.database.backups.applied", lambda _: next(answers))
    said = "The database was migrated during the backup: run it again."
    assert manage("backup", "--output", tmp_path / "saved") == (1, said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_json_is_one_object(commands, database_url, engine, tmp_path):
    """Both commands print one object, and nothing else."""
    file = tmp_path / "saved"
    done = commands.manage("backup", "--json", "--output", str(file), DATABASE_URL=database_url)
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    manifest = json.loads(Path(f"{file}.json").read_text())
    assert json.loads(done.out) == {"file": str(file), **manifest}
    done = commands.manage("restore", "--json", str(file), DATABASE_URL=database_url)
    assert (done.code, done.out.count("\n")) == (0, 1)
    said = done.err.splitlines()
    assert [line.split(" from ")[0].split(":")[0] for line in said] == [
        f"{file} holds {manifest['database']}",
        "Restore into",
    ]
    assert json.loads(done.out) == {
        "file": str(file),
        "database": server_settings(database_url)["NAME"],
        "created": manifest["created"],
        "state_changed": False,
        "unapplied": [],
        "replaced": None,
    }
