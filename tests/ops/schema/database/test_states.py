"""No database is restored into a state that the code is not for."""

import pytest
from django.core.management import call_command

from django_runbook.schema.database import states
from django_runbook.schema.database.backups import backup
from tests.ops.schema.database.saving import NOW, PROFILE, describe, manage


@pytest.mark.slow
def test_older_state_is_refused(database, tmp_path):
    """A backup without the last migration: refused, or restored knowingly and then migrated."""
    call_command("migrate", "users", "0002", verbosity=0)
    backup(tmp_path / "saved", now=NOW)
    call_command("migrate", verbosity=0)
    database.add("after")
    assert manage("restore", tmp_path / "saved") == (
        3,
        (
            f"The backup lacks {PROFILE}, which the database has applied: take a newer backup, "
            "or add --allow-state-change and run 'inv db.migrate' afterwards."
        ),
    )
    assert database.groups == ["after", "before"]
    code, said = manage("restore", tmp_path / "saved", "--allow-state-change")
    assert code == 0, said
    assert said.splitlines()[1:] == [f"{PROFILE} is not applied. Run 'inv db.migrate'."]
    assert database.groups == ["before"]
    call_command("migrate", verbosity=0)
    assert "users_profile" in database.tables


@pytest.mark.engines("sqlite")
def test_newer_state_is_refused(database, saved):
    """A backup with a migration that the database lacks, until it is migrated."""
    call_command("migrate", "users", "0002", verbosity=0)
    assert manage("restore", saved) == (
        3,
        (
            f"The backup holds {PROFILE}, which the database has not applied: run 'inv db.migrate' "
            "first, or add --allow-state-change."
        ),
    )
    assert database.groups == ["after", "before"]
    call_command("migrate", verbosity=0)
    assert manage("restore", saved)[0] == 0
    assert database.groups == ["before"]


@pytest.mark.engines("sqlite")
def test_state_that_the_code_lacks_is_refused(saved, empty):
    """Migrations of another version of the code, even for an empty database."""
    held = [*states.applied("default"), "users.0008_later", "users.0009_last"]
    describe(saved, migrations=held)
    assert manage("restore", saved) == (
        3,
        (
            "The backup holds users.0008_later and 1 more, which this code does not have: check "
            "out the code that it was made with, or add --allow-state-change."
        ),
    )
    assert empty.tables == set()


def test_database_of_somebody_else_is_refused(saved, empty):
    """Tables without migrations are not this project's; a restore would drop them."""
    empty.run("CREATE TABLE theirs (id integer)")
    code, said = manage("restore", saved)
    assert code == 3
    assert said.startswith("The database has no migrations applied and holds theirs, which a")
    assert empty.tables == {"theirs"}


@pytest.mark.engines("sqlite")
def test_squashed_migration_is_what_it_replaces(database, monkeypatch):
    """A backup from before a squash is in the same state as a database after it.

    One that went back behind the squash is not, although Django keeps the squash in its record.
    """
    held = states.applied("default")
    squashed = {"users.0001_squashed": {"users.0001_initial", PROFILE}}
    monkeypatch.setattr(states, "_replaced", lambda: squashed)
    after = {*held, "users.0001_squashed"} - {"users.0001_initial", PROFILE}
    assert not states.changes_state(after, "default")
    assert states.changes_state({*held, "users.0001_squashed"} - {PROFILE}, "default")
    assert states.changes_state(set(held) - {PROFILE}, "default")
    states.require_same_state(after, "default")
