"""A rehearsal tells what fails, what is unknown, and leaves nothing behind."""

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, migrations, models

from django_runbook.schema.review.rehearsal.rehearsal import rehearse
from django_runbook.schema.review.rehearsal.rows.choosing import AROUND
from django_runbook.schema.scratch.databases import Workshop
from django_runbook.schema.scratch.stages import Stage, Stages
from tests.ops.schema.conftest import HEAD, MakeApp
from tests.ops.schema.review.rehearsal.rehearsing import (
    ALL,
    FIRST,
    READ,
    ROWS,
    UNIQUE,
    alter,
    effects,
    rehearsed,
)

if TYPE_CHECKING:
    from django.db.migrations.operations.base import Operation

CODE = """
def change(apps, schema_editor):
    Thing = apps.get_model("shop", "Thing")
    {body}


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(change)]
    atomic = {atomic}
"""


def code(make_app: MakeApp, body: str, *, atomic: bool = True) -> str:
    """Install a shop whose second migration runs a function; return that migration's file."""
    text = CODE.format(body=body, atomic=atomic)
    make_app("shop", m0001_initial=FIRST, m0002_second=text)
    return HEAD + text.strip()


@pytest.mark.slow
@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_errors_that_only_rows_bring_out(stage: Stage) -> None:
    """Duplicates, NULLs and changed rows make an operation fail, which is named."""
    nothing: Any = "SELECT 1"
    operations: dict[str, Operation | str] = {
        "unique": UNIQUE,
        "not null": alter("thing", "size", models.IntegerField()),
        "triggers": migrations.RunSQL(
            ["UPDATE shop_thing SET kind_id = 1", "ALTER TABLE shop_thing ADD more int"]
        ),
        "commit": "UPDATE shop_thing SET kind_id = 0",
    }
    errors = {}
    for name, operation in operations.items():
        made = rehearsed(stage, nothing, operation)
        assert made.failed == 1
        errors[name] = re.sub(r'_[0-9a-f]{8}\w*"', '_…"', made.error)
    assert errors == {
        "unique": 'IntegrityError: could not create unique index "shop_thing_code_…"',
        "not null": 'IntegrityError: column "size" of relation "shop_thing" contains null values',
        "triggers": 'OperationalError: cannot ALTER TABLE "shop_thing" because it has pending '
        "trigger events",
        "commit": 'IntegrityError: insert or update on table "shop_thing" violates foreign key '
        'constraint "shop_thing_kind_id_…"',
    }


@pytest.mark.slow
@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_harmless_rows_show_what_lies_beyond_a_failure(stage: Stage) -> None:
    """Where hostile rows stop a migration, the rest is measured; else it is said to be unknown."""
    bigger = alter("thing", "cost", models.BigIntegerField())
    made = rehearsed(stage, "UPDATE shop_thing SET size = 1 WHERE size IS NULL", UNIQUE, bigger)
    assert (made.failed, made.gaps) == (1, ())
    assert effects(made) == {
        (0, "thing"): ("RowExclusiveLock", False, ROWS, 66),
        (1, "thing"): READ,
        (2, "thing"): ALL,
    }
    made = rehearsed(stage, "SELECT nothing", bigger)
    assert (made.failed, made.error) == (0, 'ProgrammingError: column "nothing" does not exist')
    assert made.gaps == (
        "Nothing is known of the operations after 0: it fails on every kind of rows.",
    )


@pytest.mark.slow
def test_a_failing_function_is_named_with_its_line(
    shop: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> None:
    """What RunPython raises is told in one line: the exception, the file and the line there."""
    body = "[len(thing.size.real) for thing in Thing.objects.filter(size=None)]"
    text = code(make_app, body)
    line = 1 + text.split("\n").index(f"    {body}")
    with stages_on(shop).before(("shop", "0002_second")) as stage:
        made = rehearse(stage, ROWS)
    assert made.failed == 0
    assert made.error == (
        f"AttributeError: 'NoneType' object has no attribute 'real' (0002_second.py, line {line}); "
        f"rows without NULL, duplicates and extremes pass"
    )


def test_what_a_migration_prints_is_not_seen(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output of a migration's code does not get into that of the plan."""
    made = rehearsed(stage, migrations.RunPython(lambda *_: print("loud")))
    assert made.error == ""
    assert "loud" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_an_endless_statement_is_stopped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement has some seconds; then it is an error like others; no database is left."""
    monkeypatch.setattr("django_runbook.schema.review.rehearsal.rehearsal.TIMEOUT", 100)
    made = rehearsed(stage, "SELECT pg_sleep(60)")
    assert made.error == "OperationalError: canceling statement due to statement timeout"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database WHERE datname ~ %s", [f"_{os.getpid()}_[0-9]+$"]
        )
        assert cursor.fetchall() == [(stage.connection.settings_dict["NAME"],)]


@pytest.mark.slow
@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_tables_without_rows_are_said(stage: Stage) -> None:
    """A table whose constraints refuse every row is a gap, and the rest is rehearsed."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE shop_kind ADD CHECK (name <> name)")
    made = rehearsed(stage, alter("thing", "cost", models.BigIntegerField()))
    assert made.gaps == (
        f"shop_kind: 0 of {AROUND} rows could be made up: its constraints refuse what is made up.",
        (
            f'shop_thing: 0 of {ROWS} rows could be made up: null value in column "kind_id" of '
            f'relation "shop_thing" violates not-null constraint.'
        ),
    )
    assert [(one.table, one.rows) for one in made.effects] == [("shop_thing", 0)]


def test_rows_that_cannot_be_made_up_stop_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where making rows up fails as a whole, that is a gap, and the migration is tried without."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no\nrows")

    monkeypatch.setattr("django_runbook.schema.review.rehearsal.rehearsal.fill", fail)
    made = rehearsed(stage, "UPDATE shop_thing SET size = 1")
    assert (made.error, sum(one.rows for one in made.effects)) == ("", 0)
    assert made.gaps == ("No rows could be made up: RuntimeError: no.",)
