"""A backup says where it comes from, and is of the server that the application is connected to."""

import json
import re
from pathlib import Path

import pytest
from django.db import connections

from django_runbook.schema.database.backups import described
from tests.commands import ROOT
from tests.engines import server_settings, server_url
from tests.ops.schema.database.pooler import pooler
from tests.ops.schema.database.saving import describe, manage, source

OTHER = "another server than the application: name one server alone in DATABASE_URL."


def through(port, **options):
    """Let ``default`` go through a port of this machine."""
    connection = connections["default"]
    connection.close()
    connection.settings_dict.update(HOST="127.0.0.1", PORT=str(port))
    connection.settings_dict["OPTIONS"].update(options)


@pytest.mark.engines("postgresql")
def test_programs_that_reach_another_database(database, saved, tmp_path):
    """pg_dump and psql are led elsewhere than the driver: both are refused, and nothing happens."""
    name = database.name
    with pooler(ignores_options=True, databases=[name, "postgres"]) as port:
        through(port)
        assert manage("backup", "--output", tmp_path / "other") == (3, f"pg_dump reached {OTHER}")
        connections["default"].close()
    assert not (tmp_path / "other").exists()
    with pooler(ignores_options=True, databases=[name, "postgres"]) as port:
        through(port)
        assert manage("restore", saved) == (3, f"psql reached {OTHER}")
        connections["default"].close()
    assert database.groups == ["after", "before"]


@pytest.mark.engines("postgresql")
def test_several_hosts(database, tmp_path, monkeypatch):
    """The programs go to the very host that the driver has found, with all of its keywords."""
    values = server_settings(server_url())
    host, port = str(values["HOST"]), str(values["PORT"] or 5432)
    connection = connections["default"]
    connection.close()
    connection.settings_dict.update(HOST=f"127.0.0.1,{host}", PORT=f"1,{port}")
    connection.settings_dict["OPTIONS"]["target_session_attrs"] = "read-write"
    monkeypatch.setenv("PGHOSTADDR", "")
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "standby")
    assert manage("backup", "--output", tmp_path / "saved")[0] == 0
    manifest = json.loads((tmp_path / "saved.json").read_text())
    assert manifest["server"] == source(database)
    code, said = manage("restore", tmp_path / "saved")
    assert code == 0, said


def test_description(database, saved, engine, tmp_path):
    """One line tells server, time, state and size; an older manifest knows of no server."""
    manifest = json.loads(Path(f"{saved}.json").read_text())
    system = f", system {manifest['system']}" if engine == "postgresql" else ""
    count = len(manifest["migrations"])
    assert described(saved) == (
        f"{saved} holds {database.name} from {source(database)} ({engine} "
        f"{manifest['server_version']}{system}), 2026-03-01 04:17 UTC: {count} migrations, "
        f"{saved.stat().st_size:,} bytes"
    )
    del manifest["server"], manifest["system"]
    Path(f"{saved}.json").write_text(json.dumps(manifest))
    assert " from an unknown server (" in described(saved)
    describe(saved, database="\x1b[2Jx\ny")
    assert described(saved).isprintable()


@pytest.mark.slow
def test_protected_target_is_saved_before_it_is_replaced(
    commands, database, saved, engine, tmp_path
):
    """What was there is in a file that is named at the end, and that can be restored."""
    env = {"DATABASE_URL": database.url, "ENVIRONMENT": "production", "DEBUG": "true"}
    typed = ("restore", str(saved), f"--confirm={database.name}")
    before = set((ROOT / "var/backups").glob("*-replaced*"))
    try:
        done = commands.manage(*typed, **env)
        assert done.code == 0, done.err
        assert done.err.splitlines()[0] == described(saved)
        assert database.groups == ["before"]
        (named,) = re.findall(r"(?m)^What was there before: (.*)$", done.out)
        code, said = manage("restore", ROOT / named)
        assert (code, database.groups) == (0, ["after", "before"]), said
        assert commands.manage(*typed, "--no-backup", **env).out.count("\n") == 1
        env["ENVIRONMENT"] = "local"
        assert commands.manage(*typed, **env).out.count("\n") == 1
    finally:
        made = set((ROOT / "var/backups").glob("*-replaced*")) - before
        for file in made:
            file.unlink()
    assert {file.name for file in made} == {Path(named).name, f"{Path(named).name}.json"}


def test_what_cannot_be_saved_is_not_replaced(database, saved, tmp_path, settings, monkeypatch):
    """A safety copy that fails ends the restore before it began."""
    (tmp_path / "backups").write_text("a file in the place of the folder")
    settings.BASE_DIR = tmp_path / "backend"
    monkeypatch.chdir(tmp_path)
    code, said = manage("restore", saved, "--backup")
    assert code == 1
    assert "cannot be written" in said
    assert database.groups == ["after", "before"]
