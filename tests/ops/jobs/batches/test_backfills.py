"""Backfills: what a row becomes is computed; what it was is kept, so that it can be put back."""

import datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Case, F, OuterRef, Subquery, Value, When
from django.db.models.functions import Upper
from django.db.models.signals import post_save

from django_runbook.jobs.batches.rows import postgresql
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.models import Run
from tests.ops.jobs import shelf
from tests.ops.jobs.shelf import Item, Maker, Tag

pytestmark = [pytest.mark.usefixtures("shelf"), pytest.mark.engines("sqlite", "postgresql")]

NAMES = ["ann", "bob", "cay", "dan", "eve", "fay", "gus"]


def items(**values):
    """Create an item for each name; return their keys."""
    return [Item.objects.create(name=name, **values).pk for name in NAMES]


def names():
    """Return the names in the order of the keys."""
    return list(Item.objects.order_by("pk").values_list("name", flat=True))


def small(_cutoff):
    """Return the items whose name begins with a small letter."""
    return Item.objects.filter(name__regex="^[a-z]")


def upper(rows):
    """Let the names begin with a capital."""
    for row in rows:
        row.name = row.name.capitalize()


def save_upper(row):
    """Let one name begin with a capital, and save it."""
    row.name = row.name.capitalize()
    row.save()


WAYS = {
    "expression": {"to": {"name": Upper("name")}},
    "fill": {"fill": upper, "fields": ("name",)},
    "each": {"each": save_upper, "fields": ("name",)},
}


@pytest.mark.parametrize("way", WAYS)
def test_row_becomes_what_is_computed_and_can_be_put_back(way):
    """Each batch keeps what every row was and became; who was changed since is left alone."""
    keys = items()
    done = shelf.go(shelf.job(due=small, **WAYS[way]))
    became = [name.upper() if way == "expression" else name.capitalize() for name in NAMES]
    assert names() == became
    assert (done.status, done.due, done.changed, done.batches, done.left) == (
        "SUCCEEDED",
        7,
        7,
        3,
        0,
    )
    run = Run.objects.get(pk=done.run)
    assert run.change == {"model": "users.item", "was": {}, "to": {}, "kept": ["name"]}
    assert shelf.kept(done.run) == [
        (key, [was], [is_]) for key, was, is_ in zip(keys, NAMES, became, strict=True)
    ]
    Item.objects.filter(pk=keys[2]).update(name="Zoe")
    undone = undo_run(done.run)
    assert (undone.status, undone.restored, undone.changed) == ("SUCCEEDED", 6, 7)
    assert names() == [*NAMES[:2], "Zoe", *NAMES[3:]]


def test_values_come_from_other_rows_and_fields():
    """A subquery, a case, arithmetic and a constant, in one change; each is put back."""
    maker = Maker.objects.create(founded=shelf.NOW)
    for key in items(maker=maker, price=Decimal("1.50"), text="old", sold=3):
        assert key
    founded = Maker.objects.filter(pk=OuterRef("maker_id")).values("founded")
    done = shelf.go(
        shelf.job(
            due=lambda _cutoff: Item.objects.filter(at=None),
            was={"text": "old", "at": None},
            to={
                "text": "new",
                "at": Subquery(founded),
                "price": F("price") * 2,
                "flag": Case(When(name__lt="d", then=True), default=False),
                "sold": F("sold") + 1,
            },
        )
    )
    columns = ("text", "at", "price", "flag", "sold")
    found = list(Item.objects.order_by("name").values_list(*columns))
    assert found == [("new", shelf.NOW, Decimal("3.00"), name < "d", 4) for name in NAMES]
    change = Run.objects.get(pk=done.run).change
    assert change["was"] == {"text": "old", "at": None}
    assert (change["to"], change["kept"]) == ({"text": "new"}, ["at", "price", "flag", "sold"])
    old, new = shelf.kept(done.run)[0][1:]
    assert old == [None, "1.50", None, 3]
    assert new == [shelf.NOW.isoformat(), "3.00", True, 4]
    assert undo_run(done.run).restored == 7
    found = list(Item.objects.values_list(*columns).distinct())
    assert found == [("old", None, Decimal("1.50"), None, 3)]


def test_constant_whose_old_value_is_not_known_is_kept():
    """Each row gets back what it was."""
    items()
    done = shelf.go(shelf.job(due=lambda _: Item.objects.exclude(name="same"), to={"name": "same"}))
    assert set(names()) == {"same"}
    assert (done.status, done.changed) == ("SUCCEEDED", 7)
    assert undo_run(done.run).restored == 7
    assert names() == NAMES


@pytest.mark.engines("postgresql")
def test_one_statement_and_the_portable_way_keep_the_same(monkeypatch):
    """Of each type of field that PostgreSQL's own statement can keep."""
    told = []
    moved = {
        "name": Upper("name"),
        "price": F("price") * 3,
        "sold": F("sold") + 1,
        "flag": Case(When(sold=1, then=True), default=None),
        "text": Value("x"),
        "code": Value("00000000-0000-4000-8000-000000000001"),
    }
    for fits in (True, False):
        Item.objects.all().delete()
        items(price=Decimal("0.10"), sold=1)
        if not fits:
            monkeypatch.setattr(postgresql, "fits", lambda *_: False)
        done = shelf.go(shelf.job(due=small, to=moved))
        assert postgresql.fits(shelf.job(due=small, to=moved).change, connection) is fits
        told.append([row[1:] for row in shelf.kept(done.run)])
        assert undo_run(done.run).restored == 7
        assert names() == NAMES
    assert told[0] == told[1]
    first = ["ANN", "0.30", 2, True, "x", "00000000-0000-4000-8000-000000000001"]
    assert told[0][0] == (["ann", "0.10", 1, None, None, None], first)


def test_each_row_goes_through_its_own_save():
    """Signals are sent, one a row, inside the transaction of its batch."""
    items()
    seen = []

    def saved(instance, **_):
        seen.append((instance.name, connection.in_atomic_block))

    post_save.connect(saved, sender=Item)
    try:
        shelf.go(shelf.job(due=small, each=save_upper, fields=("name",)))
    finally:
        post_save.disconnect(saved, sender=Item)
    assert seen == [(name.capitalize(), True) for name in NAMES]


def test_function_is_handed_a_batch_in_its_order():
    """Instances, as many as a batch takes, in the order of the run."""
    items()
    seen = []

    def fill(rows):
        seen.append([row.name for row in rows])
        upper(rows)

    shelf.go(shelf.job(due=small, fill=fill, fields=("name",)))
    assert seen == [NAMES[:3], NAMES[3:6], NAMES[6:]]


def test_row_that_is_not_as_it_was_is_left():
    """The conditions are asked again where the rows are changed."""
    keys = items(text="old")
    Item.objects.filter(pk=keys[1]).update(text="other")
    for way in WAYS.values():
        done = shelf.go(shelf.job(due=small, was={"text": "old"}, **way))
        assert (done.status, done.changed, done.left) == ("FAILED", 6, 1)
        assert done.reason == "1 rows are still due after the last batch"
        Item.objects.exclude(pk=keys[1]).update(name="zoe")


def test_stopped_backfill_goes_on():
    """What is changed is no longer due; the next run does the rest, and each can be undone."""
    items()
    for way in WAYS.values():
        stop = Stop()
        moved = shelf.job(due=small, **way)
        first = shelf.go(moved, stop=stop, watch=lambda _batch, ask=stop.ask: ask("SIGTERM"))
        assert (first.status, first.changed, first.left) == ("STOPPED", 3, 4)
        second = shelf.go(moved)
        assert (second.status, second.changed, second.left) == ("SUCCEEDED", 4, 0)
        for done in (second, first):
            assert undo_run(done.run).restored == done.changed
        assert names() == NAMES


def test_verification_is_the_jobs_own():
    """A query of its own says which rows are still wrong, whatever is due."""
    items()
    wrong = shelf.job(due=small, to={"name": Upper("name")}, verify=lambda: Item.objects.all()[:5])
    done = shelf.go(wrong)
    assert (done.status, done.left) == ("FAILED", 5)
    assert done.reason == "5 rows are still wrong after the last batch"


def test_keys_that_are_no_numbers():
    """A UUID is a key like any other, in the books and in the undo."""
    made = [Tag.objects.create(name=name) for name in NAMES]
    due = {"due": lambda _: Tag.objects.filter(name__in=NAMES)}
    for way in WAYS.values():
        done = shelf.go(shelf.job(**due, **way))
        assert (done.status, done.changed) == ("SUCCEEDED", 7)
        assert [row[0] for row in shelf.kept(done.run)] == sorted(str(tag.pk) for tag in made)
        assert undo_run(done.run).restored == 7
        assert sorted(Tag.objects.values_list("name", flat=True)) == NAMES


def test_day_is_a_cutoff_as_a_time_is():
    """A DateField is compared with the day of the cutoff, and ordered by."""
    days = [datetime.date(2026, 2, day) for day in (27, 28)] + [datetime.date(2026, 3, 1)]
    for name, made in zip(NAMES, days * 2, strict=False):
        Item.objects.create(name=name, made=made)
    done = shelf.go(
        shelf.job(
            due=lambda cutoff: small(cutoff).filter(made__lt=cutoff),
            since="made",
            to={"name": Upper("name")},
        )
    )
    assert (done.status, done.changed) == ("SUCCEEDED", 4)
    assert names() == ["ANN", "BOB", "cay", "DAN", "EVE", "fay"]
