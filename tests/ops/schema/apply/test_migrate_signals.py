"""SIGINT and SIGTERM while migrations are applied."""

import os
import signal

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.apply.executor import Executor
from tests.ops.schema.apply.migrating import (
    MODEL,
    THING,
    applied,
    database_fixture,
    migrate,
    postgres_fixture,
    server_fixture,
    tables,
)
from tests.ops.schema.conftest import MakeApp

__all__ = ["database_fixture", "postgres_fixture", "server_fixture"]


def failing(make_app: MakeApp, text: str) -> None:
    """Install four migrations, of which the first is applied and the third is ``text``."""
    make_app(
        "shop",
        m0001_initial=THING,
        m0002_more=f"[{MODEL.format('More')}]",
        m0003_price=text,
        m0004_last=f"[{MODEL.format('Last')}]",
    )
    assert migrate("shop", "0001").code == 0


SIGNALLED = """
    import os, signal

    def stop(apps, schema_editor):
        os.kill(os.getpid(), signal.SIG{name})


    class Migration(migrations.Migration):
        atomic = {atomic}
        dependencies = [("shop", "0002_more")]
        operations = [
            migrations.CreateModel("Price", [("id", models.BigAutoField(primary_key=True))]),
            migrations.RunPython(stop, migrations.RunPython.noop),
            migrations.CreateModel("Cost", [("id", models.BigAutoField(primary_key=True))]),
        ]
"""


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_signal_rolls_the_migration_back(
    database: BaseDatabaseWrapper, make_app: MakeApp, name: str
) -> None:
    """What was applied before stays, exit code 4, and the handlers are as they were."""
    failing(make_app, SIGNALLED.format(name=name, atomic=True))
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    done = migrate("shop")
    assert (done.code, done.err) == (
        4,
        (
            f"Stopped by SIG{name} in shop.0003_price at operation 2 of 3 (Raw Python operation); "
            "it was rolled back.\n"
            "Applied before that: shop.0002_more.\n"
            "Not done: shop.0003_price, shop.0004_last.\n"
            "'inv db.migrate shop' goes on. To go back: 'inv db.migrate shop 0001_initial'."
        ),
    )
    assert tables() == ["shop_more", "shop_thing"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_lets_a_migration_without_a_transaction_end(
    database: BaseDatabaseWrapper, make_app: MakeApp, capfd: pytest.CaptureFixture[str]
) -> None:
    """It would be left half done; the plan stops after it, and that is said at once."""
    failing(make_app, SIGNALLED.format(name="TERM", atomic=False))
    done = migrate("shop")
    assert (done.code, done.err) == (
        4,
        (
            "Stopped between two migrations: SIGTERM.\n"
            "Applied before that: shop.0002_more, shop.0003_price.\n"
            "Not done: shop.0004_last.\n"
            "'inv db.migrate shop' goes on. To go back: 'inv db.migrate shop 0001_initial'."
        ),
    )
    assert capfd.readouterr().err == (
        "\nSIGTERM: the migration has no transaction, and is finished first; again breaks it off.\n"
    )
    assert tables() == ["shop_cost", "shop_more", "shop_price", "shop_thing"]


def test_a_signal_during_the_commit_does_not_lie(
    database: BaseDatabaseWrapper, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that comes while the transaction is committed waits: the migration is applied."""
    failing(make_app, f"[{MODEL.format('Price')}]")
    commit = connections["default"]._commit

    def signalled() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        commit()

    monkeypatch.setattr(connections["default"], "_commit", signalled)
    done = migrate("shop")
    assert (done.code, done.err.splitlines()[:2]) == (
        4,
        ["Stopped between two migrations: SIGTERM.", "Applied before that: shop.0002_more."],
    )
    assert tables() == ["shop_more", "shop_thing"]


def test_a_signal_after_the_commit_does_not_lie(
    database: BaseDatabaseWrapper, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal between the commit and the next migration: the database is asked, it is applied."""
    failing(make_app, f"[{MODEL.format('Price')}]")
    report = Executor._report

    def signalled(self: Executor, action: str, *args: object) -> None:
        if action == "apply_success":
            os.kill(os.getpid(), signal.SIGINT)
        report(self, action, *args)

    monkeypatch.setattr(Executor, "_report", signalled)
    done = migrate("shop")
    assert (done.code, done.err.splitlines()[:2]) == (
        4,
        ["Stopped between two migrations: SIGINT.", "Applied before that: shop.0002_more."],
    )
    assert applied() == ["0001_initial", "0002_more"]


def test_a_second_signal_breaks_off_what_has_no_transaction(
    database: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """Who insists gets a half-done migration, a failure, and is told so."""
    failing(
        make_app,
        SIGNALLED.format(name="TERM); os.kill(os.getpid(), signal.SIGINT", atomic=False),
    )
    done = migrate("shop")
    assert (done.code, done.err.splitlines()[:3], done.err.splitlines()[-1]) == (
        1,
        [
            (
                "Stopped by SIGINT in shop.0003_price at operation 2 of 3 (Raw Python operation); "
                "it has no transaction, and is half done:"
            ),
            "  1. Create model Price: completed",
            "  2. Raw Python operation: begun",
        ],
        "Then run 'inv db.migrate shop'. To go back: 'inv db.migrate shop 0001_initial'.",
    )
