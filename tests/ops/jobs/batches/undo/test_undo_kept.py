"""What was computed is put back row by row, and what has changed since is left alone."""

from decimal import Decimal

import pytest
from django.db import connection

from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.batches.undo import putting_back
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.models import Batch, FailedRow, Run
from tests.ops.jobs import books, shelf
from tests.ops.jobs.shelf import Item, Maker

pytestmark = [pytest.mark.usefixtures("shelf"), pytest.mark.engines("sqlite", "postgresql")]

NAMES = ["ann", "bob", "cay", "dan", "eve", "fay", "gus"]


def capital(rows):
    """Let the names begin with a capital."""
    for row in rows:
        row.name = row.name.capitalize()


def small(_cutoff):
    """Return the items whose name begins with a small letter."""
    return Item.objects.filter(name__regex="^[a-z]")


def filled(**values) -> tuple[Run, list[int]]:
    """Return a run that let seven names begin with a capital, and the keys of the rows."""
    keys = [Item.objects.create(name=name).pk for name in NAMES]
    moved = shelf.job(due=small, fill=capital, fields=("name",), **values)
    return Run.objects.get(pk=shelf.go(moved).run), keys


def names() -> list[str]:
    """Return the names in the order of the keys."""
    return list(Item.objects.order_by("pk").values_list("name", flat=True))


def test_row_that_changed_since_is_left_alone():
    """By hand, by a later run, deleted: said by reason, without a value of a row."""
    run, keys = filled()
    Item.objects.filter(pk=keys[0]).update(name="Zoe")
    Item.objects.filter(pk=keys[1]).delete()
    Item.objects.filter(pk=keys[2]).update(name="cay")
    later = shelf.go(shelf.job(due=small, fill=capital, fields=("name",))).run
    Item.objects.filter(pk=keys[3]).update(sold=7)  # of another field nobody has said anything
    result = undo_run(run.pk)
    assert (result.status, result.changed, result.restored) == ("SUCCEEDED", 7, 4)
    assert result.others == {"changed again": 1, "changed since": 1, "gone": 1}
    assert result.owners == {"changed again": {later: 1}}
    assert names() == ["Zoe", "Cay", *NAMES[3:]]


def test_undo_keeps_what_it_found_and_what_it_put_back():
    """Its batches hold both, the other way round; the books are balanced."""
    run, keys = filled()
    undo = Run.objects.get(pk=undo_run(run.pk).run)
    assert undo.change == {"model": "users.item", "was": {}, "to": {}, "kept": ["name"]}
    assert shelf.kept(undo.pk) == [
        (key, [name.capitalize()], [name]) for key, name in zip(keys, NAMES, strict=True)
    ]
    assert (undo.model, undo.changed, undo.batches) == ("users.item", 7, 3)
    assert books.unbalanced() == []


def test_stopped_undo_is_gone_on_with():
    """What is put back stays; the next one puts back the rest, and says who did the others."""
    run, _keys = filled()
    stop = Stop()
    first = undo_run(run.pk, stop=stop, watch=lambda _batch: stop.ask("SIGTERM"))
    assert (first.status, first.restored, first.left) == ("STOPPED", 3, 4)
    assert sorted(map(str.istitle, names())) == [False] * 3 + [True] * 4
    second = undo_run(run.pk)
    assert (second.status, second.restored, second.left) == ("SUCCEEDED", 4, 0)
    assert second.owners == {"put back": {first.run: 3}}
    assert names() == NAMES


def test_constants_go_back_with_the_values():
    """A row is put back where all of it is as the run has left it."""
    run, keys = filled(was={"sold": 0})
    assert run.change["was"] == {"sold": 0}
    Item.objects.filter(pk=keys[0]).update(sold=3)
    result = undo_run(run.pk)
    assert (result.restored, result.others) == (6, {"changed since": 1})
    assert names() == ["Ann", *NAMES[1:]]


@pytest.mark.parametrize("few", [0, 20])
def test_values_of_each_kind_go_back(few, monkeypatch):
    """Set for rows alike together, or for each row by itself: it comes to the same."""
    monkeypatch.setattr(putting_back, "FEW_VALUES", few)
    makers = [Maker.objects.create().pk for _ in range(2)]
    for number in range(5):
        Item.objects.create(
            name=str(number),
            price=Decimal("0.10") * number,
            note={"a": [number, None, "x"]},
            data=bytes([number, 0, 255]),
            maker_id=makers[number % 2],
            ratio=number / 3,
            text=None if number == 2 else "x\ny",
        )
    fields = ("price", "note", "data", "maker", "ratio", "text")

    def wipe(rows):
        for row in rows:
            row.price, row.note, row.data, row.maker_id = Decimal(9), [], None, makers[0]
            row.ratio, row.text = 0.5, "wiped"

    def all_of_them():
        found = Item.objects.order_by("pk").values_list("pk", "name", *fields)
        return [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in found]

    before = all_of_them()
    moved = shelf.job(
        due=lambda _cutoff: Item.objects.exclude(text="wiped") | Item.objects.filter(text=None),
        fill=wipe,
        fields=fields,
    )
    done = shelf.go(moved)
    assert (done.status, done.changed) == ("SUCCEEDED", 5)
    assert all_of_them() != before
    assert undo_run(done.run).restored == 5
    assert all_of_them() == before


def test_row_that_cannot_be_put_back_does_not_hold_up_the_others():
    """It is listed with what the database said; the undo has failed, and another tries again."""
    run, keys = filled()
    connection.check_constraints()  # else PostgreSQL lets nobody build an index in this transaction
    books.execute("CREATE UNIQUE INDEX one_name ON users_item (name)")
    Item.objects.create(name="dan")  # somebody has taken the name
    result = undo_run(run.pk)
    assert (result.status, result.restored, result.left) == ("FAILED", 6, 0)
    assert result.others == {"could not be put back": 1}
    assert result.reason == (
        f"1 row(s) could not be put back; 'inv jobs.show {result.run} --failed' lists them"
    )
    assert list(FailedRow.objects.values_list("run", "key")) == [(result.run, keys[3])]
    assert names() == [*NAMES[:3], "Dan", *NAMES[4:], "dan"]
    Item.objects.order_by("-pk")[0].delete()
    again = undo_run(run.pk)
    assert (again.status, again.restored, again.owners) == (
        "SUCCEEDED",
        1,
        {"put back": {result.run: 6}},
    )
    assert names() == NAMES


def test_row_that_a_trigger_keeps_is_not_in_the_books():
    """The database has the last word: what it did not change was not put back."""
    run, keys = filled()
    books.execute(*KEEPS[connection.vendor])
    result = undo_run(run.pk)
    assert (result.restored, result.others) == (6, {"changed since": 1})
    assert names() == [*NAMES[:6], "Gus"]
    held = [key for batch in Batch.objects.filter(run=result.run) for key in batch.ids]
    assert sorted(held) == keys[:6]


KEEPS = {
    "sqlite": (
        """CREATE TRIGGER keeps BEFORE UPDATE ON users_item WHEN old.name = 'Gus'
            BEGIN SELECT raise(IGNORE); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RETURN NULL; END $$""",
        """CREATE TRIGGER keeps BEFORE UPDATE ON users_item FOR EACH ROW
            WHEN (old.name = 'Gus') EXECUTE FUNCTION keeps()""",
    ),
}


@pytest.mark.slow
def test_job_that_changed_other_fields_is_not_in_the_way():
    """Another job's run is not counted where what it registers sets other fields of the row."""
    run, _keys = filled()
    sell = shelf.job(
        "sell", due=lambda _cutoff: Item.objects.filter(sold=0), was={"sold": 0}, to={"sold": 1}
    )
    sold = shelf.go(sell).run
    result = undo_run(run.pk)
    assert (result.restored, result.others) == (7, {})
    assert names() == NAMES
    other = undo_run(sold)
    assert (other.restored, other.others) == (7, {})
    again, _keys = filled()
    sold = shelf.go(sell).run
    Run.objects.filter(pk=sold).update(change={"model": "users.item", "was": {}, "to": {}})
    assert undo_run(again.pk).owners == {"changed again": {sold: 14}}  # not as it is registered
