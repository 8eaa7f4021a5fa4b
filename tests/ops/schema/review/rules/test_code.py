"""What the rules read in the code of RunPython and in the statements of RunSQL."""

import functools
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, migrations
from django.db.migrations.state import ProjectState

from django_runbook.schema.review.rules.checking import risks
from tests.ops.schema.review.cases import python
from tests.ops.schema.review.rules.test_corpus import unconnected
from tests.ops.schema.review.rules.test_edges import judged


class Callable:
    """Code that is no function."""

    def __call__(self, apps: Any, _: Any) -> None:
        """Load all rows."""
        list(apps.get_model("shop", "Thing").objects.all())


def whole_table(apps: Any, schema_editor: Any) -> None:
    """Load all rows."""
    for row in apps.get_model("shop", "Thing").objects.all():
        str(row)


@functools.cache
def wrapped(apps: Any, schema_editor: Any) -> None:
    """Load all rows."""
    return whole_table(apps, schema_editor)


class Wrapping:
    """A decorator that is an object."""

    def __init__(self, code: Any) -> None:
        functools.update_wrapper(self, code)

    def __call__(self, apps: Any, schema_editor: Any) -> None:
        """Run it."""
        self.__wrapped__(apps, schema_editor)


def run_by(code: Any) -> list[str]:
    """Return the rules that a function's code breaks."""
    migration = migrations.Migration("0001", "shop")
    migration.operations = [migrations.RunPython(code, migrations.RunPython.noop)]
    return [risk.rule for risk in risks(migration, ProjectState(), unconnected())]


@pytest.mark.parametrize(
    "code",
    [
        whole_table,
        wrapped,
        Wrapping(whole_table),
        Callable(),
        functools.partial(whole_table, schema_editor=None),
        lambda apps, _: list(apps.get_model("shop", "Thing").objects.all()),
    ],
    ids=["function", "wrapped", "decorated", "object", "partial", "lambda"],
)
def test_every_kind_of_code_is_read(code: Any) -> None:
    """Functions, those that they call, objects, partials and lambdas are all looked into."""
    assert run_by(code) == ["loads-whole-table"]


def test_code_without_a_source() -> None:
    """What cannot be read is said to be unseen, and is no danger by itself."""
    names: dict[str, Any] = {}
    exec("def made(apps, schema_editor):\n    pass", names)
    assert run_by(names["made"]) == ["unseen-operation"]
    assert run_by(print) == ["unseen-operation"]


BODIES = {
    "for row in Thing.objects.all(): pass": {"loads-whole-table"},
    "for row in Thing.objects.filter(x=1).order_by('y'): pass": {"loads-whole-table"},
    "rows = Thing.objects.all()\nfor n, row in enumerate(rows): pass": {"loads-whole-table"},
    "rows = Thing.objects.all()\nrows = rows.filter(x=1)\nlen(list(rows))": {"loads-whole-table"},
    "for row in Thing.objects.all()[:100]: pass": set(),
    "for row in Thing.objects.filter(name__in=['a', 'b']): pass": set(),
    "for row in Thing.objects.filter(name__in=names): pass": {"loads-whole-table"},
    "for row in Thing.objects.filter(pk=3): pass": set(),
    "for row in Thing.objects.values_list('pk').iterator(): pass": set(),
    "Thing.objects.count()": set(),
    "Thing.objects.filter(x=1).update(x=2)": set(),
    "Thing.objects.all().delete()": {"changes-whole-table"},
    "Thing.objects.using('default').update(x=1)": {"changes-whole-table"},
    "for row in Thing.objects.iterator():\n    Other.objects.create(x=row.x)": {"saves-row-by-row"},
    "for name in ['a', 'b']:\n    Thing.objects.create(name=name)": set(),
    "for row in Thing.objects.all():\n    row.save()": {"loads-whole-table", "saves-row-by-row"},
    "from django.core.management import call_command\ncall_command('loaddata', 'x')": {
        "imports-models"
    },
    "from django.contrib.auth import get_user_model\nget_user_model()": {"imports-models"},
    "import django.contrib.auth.models\nstr(django.contrib.auth.models.Group)": {"imports-models"},
    "from django.contrib.auth.models import Group as G\nstr(G)": {"imports-models"},
    "from django.db import models\nmodels.Model": set(),
    "from django.apps import apps as real\nreal.get_model('a', 'B')": {"imports-models"},
}


@pytest.mark.parametrize("body", BODIES)
def test_what_code_does_with_rows(body: str, tmp_path: Path) -> None:
    """Querysets are followed through names and calls; lists of constants are no tables."""
    text = python("Thing = Other = apps.get_model('LABEL', 'Thing')\n" + body)
    assert {rule for _, _, rule in judged(text, tmp_path)} == BODIES[body]


def test_a_parameter_hides_a_global(tmp_path: Path) -> None:
    """The registry that a function is given is that of the migration, whatever was imported."""
    body = "str(apps.get_model('LABEL', 'Thing').objects.all().query)"
    assert judged(python(body, head="from django.apps import apps"), tmp_path) == []


def test_several_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where there are several is code asked which one it means."""
    silent = python("apps.get_model('LABEL', 'Thing').objects.count()")
    means = python(
        "apps.get_model('LABEL', 'Thing').objects.using(schema_editor.connection.alias).count()"
    )
    assert judged(silent, tmp_path) == []
    monkeypatch.setitem(connections.settings, "archive", connections.settings["default"])
    assert judged(silent, tmp_path) == [(0, "NOTE", "ignores-alias")]
    assert judged(means, tmp_path) == []


STATEMENTS = {
    "ALTER TABLE shop_thing ALTER COLUMN note DROP NOT NULL": set(),
    "ALTER TABLE shop_thing DROP CONSTRAINT x": set(),
    "ALTER TABLE shop_thing ADD y integer, DROP COLUMN IF EXISTS note CASCADE": {"drop-column"},
    'alter table only "public"."shop_thing" drop "note"': {"drop-column"},
    "ALTER TABLE shop_thing RENAME CONSTRAINT a TO b": set(),
    "ALTER TABLE Shop_Thing RENAME COLUMN note TO remark": {"rename-column"},
    "CREATE TABLE tmp (a integer); ALTER TABLE tmp DROP COLUMN a; DROP TABLE tmp": set(),
    "CREATE TABLE tmp (a int); INSERT INTO tmp SELECT 1; ALTER TABLE tmp ADD b int": set(),
    "INSERT INTO tmp SELECT 1; ALTER TABLE tmp ADD b int": {"mixed-data-and-schema"},
    "DELETE FROM shop_thing": {"changes-whole-table"},
    "DELETE FROM shop_thing -- WHERE is it": {"changes-whole-table"},
    "UPDATE shop_thing SET name = 'no WHERE here'": {"changes-whole-table"},
    "UPDATE shop_thing SET name = '' WHERE id < 5": set(),
    "SELECT 'DROP TABLE shop_thing'": set(),
    "CREATE TEMP TABLE tmp (a integer); UPDATE tmp SET a = 1": set(),
    "DROP TABLE IF EXISTS shop_thing; CREATE TABLE shop_thing (a integer)": {"drop-table"},
    "DO $$ BEGIN ALTER TABLE shop_thing DROP note; END $$": {"unseen-operation"},
    "VACUUM shop_thing": {"concurrently-in-transaction"},
    "REFRESH MATERIALIZED VIEW CONCURRENTLY v": set(),
    "DROP INDEX CONCURRENTLY i": {"concurrently-in-transaction"},
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_sql_does(statement: str, tmp_path: Path) -> None:
    """Statements are read without comments, strings and the tables that they make themselves."""
    text = f"[migrations.RunSQL({statement!r}, migrations.RunSQL.noop)]"
    assert {rule for _, _, rule in judged(text, tmp_path)} == STATEMENTS[statement]
