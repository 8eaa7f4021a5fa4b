"""Where the rules must keep still, and what they say of what they cannot see."""

from pathlib import Path
from typing import Any

import pytest

from django_runbook.schema.review.plan import Risk
from django_runbook.schema.review.rules import columns
from django_runbook.schema.review.rules.changes import keeps_rows
from tests.ops.schema.review.cases import BASE, Case, whole
from tests.ops.schema.review.rules.corpus import CASES
from tests.ops.schema.review.rules.test_corpus import of


def briefly(found: tuple[Risk, ...]) -> list[tuple[int | None, str, str]]:
    """Return where each risk is, how bad, and its rule."""
    return [(risk.operation, risk.severity.name, risk.rule) for risk in found]


def judged(text: str, folder: Path, *earlier: str, vendor: str = "postgresql") -> Any:
    """Return what the rules find in a migration after others."""
    return briefly(of(Case(name="", text=text, earlier=earlier or (BASE,)), folder, vendor))


@pytest.mark.parametrize(
    "options",
    ["{'managed': False}", "{'proxy': True}", "{'swappable': 'AUTH_USER_MODEL'}"],
)
def test_tables_that_are_not_migrated(options: str, tmp_path: Path, settings: Any) -> None:
    """Unmanaged, proxy and swapped models have no table here, and hence no risk."""
    bases = "('LABEL.thing',)" if "proxy" in options else "(models.Model,)"
    fields = "[]" if "proxy" in options else "[('id', models.BigAutoField(primary_key=True))]"
    model = f"[migrations.CreateModel('Other', {fields}, options={options}, bases={bases})]"
    assert judged("[migrations.DeleteModel('Other')]", tmp_path, BASE, model) == []


class OtherDatabase:
    """A router that lets nothing migrate."""

    def allow_migrate(self, *_: Any, **__: Any) -> bool:
        """Refuse."""
        return False


def test_a_router_that_refuses(tmp_path: Path, settings: Any) -> None:
    """What a router keeps from the database is no risk there, whatever the migration does."""
    settings.DATABASE_ROUTERS = [f"{__name__}.OtherDatabase"]
    found = {risk.rule for case in CASES for risk in of(case, tmp_path)}
    assert found == {"broken-state", "concurrently-in-transaction", "validate-with-add"}


def test_locks_are_those_of_postgresql(tmp_path: Path) -> None:
    """On SQLite what breaks running code stays; what PostgreSQL's locks do is left out."""
    text = """[
        migrations.AddIndex("thing", models.Index(fields=["amount"], name="by_amount")),
        migrations.AlterField("thing", "name", models.TextField()),
        migrations.RemoveField("thing", "note"),
    ]"""
    assert judged(text, tmp_path, vendor="sqlite") == [
        (1, "DANGER", "change-type"),
        (2, "DANGER", "drop-column"),
    ]


def test_a_new_primary_key(tmp_path: Path) -> None:
    """It is told as such, and not as one more column that is NOT NULL and unique."""
    text = """[migrations.AddField(
        "thing", "key", models.CharField(max_length=9, primary_key=True, default="x"))]"""
    assert judged(text, tmp_path) == [(0, "DANGER", "add-primary-key")]


def test_a_key_that_fills_itself(tmp_path: Path) -> None:
    """A column that the database fills may be forgotten by the models."""
    text = """[migrations.SeparateDatabaseAndState(
        state_operations=[migrations.RemoveField("thing", "id")])]"""
    assert judged(text, tmp_path) == []


def test_an_operation_of_somebody_else(tmp_path: Path) -> None:
    """It is named, and what its base class does is judged."""
    text = whole(
        "[Mine('thing', 'note'), Strange()]",
        head="""
            from django.db.migrations.operations.base import Operation


            class Mine(migrations.RemoveField):
                pass


            class Strange(Operation):
                def state_forwards(self, app_label, state):
                    pass
        """,
    )
    found = of(Case(name="", text=text), tmp_path)
    assert briefly(found) == [
        (0, "NOTE", "unseen-operation"),
        (0, "DANGER", "drop-column"),
        (1, "NOTE", "unseen-operation"),
    ]
    assert found[2].reason == (
        "shop_0002_step.Strange is an operation of its own: the rules see what its base class "
        "does, and no more."
    )


def test_a_rule_that_fails_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that raises makes a warning; what the other rules found stays."""

    def fails(step: Any) -> None:
        raise ZeroDivisionError("no luck")

    fails.__name__ = "columns"
    monkeypatch.setattr(columns, "risks", fails)
    case = Case(name="", text="[migrations.RemoveField('thing', 'note')]")
    found = of(case, tmp_path)
    assert briefly(found) == [(0, "DANGER", "drop-column"), (0, "WARNING", "unseen-operation")]
    assert found[1].reason == (
        "The rules of columns cannot look at it: ZeroDivisionError: no luck."
    )


def test_what_comes_before_a_broken_operation_is_judged(tmp_path: Path) -> None:
    """The walk ends at the operation that does not fit; what it saw until there is told."""
    text = """[
        migrations.RemoveField("thing", "note"),
        migrations.AddField("nobody", "size", models.IntegerField()),
        migrations.RemoveField("thing", "name"),
    ]"""
    assert judged(text, tmp_path) == [(0, "DANGER", "drop-column"), (1, "DANGER", "broken-state")]


@pytest.mark.parametrize(
    ("old", "new", "keeps"),
    [
        ("varchar(10)", "varchar(10)", True),
        ("varchar(10)", "varchar(9)", False),
        ("varchar(10)", "varchar", True),
        ("varchar", "varchar(10)", False),
        ("varchar", "text", True),
        ("text", "varchar(10)", False),
        ("numeric(8, 2)", "numeric(9, 2)", True),
        ("numeric(8, 2)", "numeric(9, 3)", False),
        ("numeric(8, 2)", "numeric", True),
        ("numeric", "numeric(8, 2)", False),
        ("cidr", "inet", True),
        ("inet", "cidr", False),
        ("integer", "bigint", False),
        ("text", "text COLLATE C", False),
    ],
)
def test_types_that_keep_the_rows(old: str, new: str, keeps: bool) -> None:
    """Only the changes that PostgreSQL's manual names are done without a rewrite."""
    assert keeps_rows(old, new) is keeps
