"""The order of a run: by a field, a field of a relation, without a time, among others that work."""

import datetime
import threading

import pytest
from django.db.models.functions import Upper

from accounts.models import Account
from django_runbook.config import ConfigError
from django_runbook.jobs import registry
from django_runbook.jobs.batches import checking
from django_runbook.jobs.batches.preview import preview_transition
from django_runbook.jobs.batches.rows import paging
from django_runbook.jobs.checks import check_transitions
from django_runbook.jobs.models import Run
from tests.factories import UserFactory
from tests.ops.jobs import shelf
from tests.ops.jobs.shelf import NOW, Item, Maker, Tag

pytestmark = pytest.mark.engines("sqlite", "postgresql")

DAY = datetime.timedelta(days=1)


def seen_by(moved):
    """Run a job; return the names in the order in which its function was handed them."""
    seen = []

    def fill(rows):
        seen.extend(row.name for row in rows)
        for row in rows:
            row.text = "seen"

    done = shelf.go(shelf.job(fill=fill, fields=("text",), **moved))
    assert (done.status, done.changed, done.left) == ("SUCCEEDED", len(seen), 0)
    return seen


def unseen(**conditions):
    """Return what says which items are due."""
    return {"due": lambda _: Item.objects.filter(text=None, **conditions)}


@pytest.mark.parametrize("field", ["at", "maker__founded"])
@pytest.mark.usefixtures("shelf")
def test_rows_without_a_time_come_last_and_none_is_lost_or_met_twice(field):
    """On both engines, though they put NULL at different ends; many share a time."""
    times = [None, NOW, NOW - DAY, None, NOW, NOW, NOW - DAY, NOW, None, None, NOW, NOW]
    for number, at in enumerate(times):
        maker = Maker.objects.create(founded=at) if number % 2 else None
        founded = {"maker": maker, "at": at}
        Item.objects.create(name=f"{number:02}", **founded)
    if field == "maker__founded":
        times = [at if number % 2 else None for number, at in enumerate(times)]
    far = NOW + DAY
    expected = sorted(range(len(times)), key=lambda place: (times[place] or far, place))
    assert seen_by({**unseen(), "since": field}) == [f"{place:02}" for place in expected]


@pytest.mark.usefixtures("shelf")
def test_day_has_an_order_too():
    """Days that many rows share, in batches of three."""
    days = [datetime.date(2026, 2, day) for day in (3, 1, 3, 3, 3, 2, 3, 3)]
    for number, made in enumerate(days):
        Item.objects.create(name=str(number), made=made)
    assert seen_by({**unseen(), "since": "made"}) == list("15023467")


@pytest.mark.usefixtures("shelf")
def test_time_of_a_related_row():
    """As in the article's own project, where the account's age is its user's."""
    for number in range(7):
        user = UserFactory(date_joined=NOW - DAY * (80 - number % 2))
        Account.objects.filter(user=user).update(created=NOW)
    done = shelf.go(by_user())
    assert (done.status, done.due, done.changed) == ("SUCCEEDED", 7, 7)
    joined = dict(Account.objects.values_list("pk", "user__date_joined"))

    def place(key):
        return joined[key], key

    batches = Run.objects.get(pk=done.run).batch_set.order_by("number")
    ids = [key for batch in batches for key in sorted(batch.ids, key=place)]
    assert ids == sorted(joined, key=place)


def by_user():
    """Register the expiry by the day on which the user joined."""
    return shelf.job(
        due=lambda cutoff: Account.objects.filter(
            status=Account.TRIALING, user__date_joined__lt=cutoff - DAY * 61
        ),
        since="user__date_joined",
        was={"status": Account.TRIALING},
        to={"status": Account.TRIAL_EXPIRED},
    )


@pytest.mark.usefixtures("shelf")
def test_row_that_is_found_twice_is_changed_once():
    """Through a relation to many, with and without distinct()."""
    items = [Item.objects.create(name=str(number)) for number in range(5)]
    for _ in range(3):
        Tag.objects.create(name="new").items.set(items)
    for distinct in (False, True):
        Item.objects.update(text=None)

        def due(_cutoff, distinct=distinct):
            rows = Item.objects.filter(text=None, tag__name="new")
            return rows.distinct() if distinct else rows

        assert sorted(seen_by({"due": due})) == list("01234")


@pytest.mark.engines("postgresql")
def test_related_row_that_another_holds_holds_nothing_up(committed_shelf, session):
    """Rows of the job's own table are locked, and no others; of those, first the free ones."""
    makers = [Maker.objects.create(founded=NOW - DAY) for _ in range(4)]
    for number, maker in enumerate(makers):
        Item.objects.create(name=str(number), maker=maker)
    other = session()
    with other.transaction():
        other.execute("SELECT FROM users_maker WHERE id = %s FOR UPDATE", [makers[0].pk])
        assert seen_by({**unseen(), "since": "maker__founded"}) == list("0123")


@pytest.mark.engines("postgresql")
def test_row_found_through_others_holds_up_no_batch(committed_shelf, session, monkeypatch):
    """One statement leaves out what another holds, as for rows of a table of their own."""
    monkeypatch.setattr("django_runbook.jobs.database.timeouts.LOCK_SECONDS", 20)
    makers = [Maker.objects.create(founded=NOW - DAY) for _ in range(5)]
    items = [Item.objects.create(text="old", maker=maker) for maker in makers]
    other, seen = session(), []
    other.execute("BEGIN")
    other.execute("UPDATE users_item SET text = 'mine' WHERE id = %s", [items[1].pk])

    def watch(batch):
        seen.append(batch.changed)
        if sum(seen) == len(items) - 1:
            other.execute("COMMIT")

    moved = shelf.job(
        due=lambda _: Item.objects.filter(text="old"),
        was={"text": "old"},
        to={"text": "new"},
        since="maker__founded",
    )
    done = shelf.go(moved, watch=watch)
    assert (done.status, done.changed, seen) == ("SUCCEEDED", 4, [3, 1])


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_row_that_another_holds_is_left_for_the_second_pass(committed_shelf, session, monkeypatch):
    """Also where rows are found through others; it waits, and what is no longer due is left."""
    monkeypatch.setattr("django_runbook.jobs.database.timeouts.LOCK_SECONDS", 5)
    makers = [Maker.objects.create(founded=NOW - DAY) for _ in range(5)]
    items = [Item.objects.create(name=str(n), maker=maker) for n, maker in enumerate(makers)]
    other = session()
    other.execute("BEGIN")
    other.execute("UPDATE users_item SET text = 'mine' WHERE id = %s", [items[1].pk])
    late = threading.Timer(0.5, other.execute, ["COMMIT"])
    seen = []

    def fill(rows):
        seen.append([row.name for row in rows])
        for row in rows:
            row.text = "seen"

    def watch(_batch):
        if len(seen) == 2 and late.ident is None:
            late.start()  # while the second pass waits for the row, which it has found due

    moved = shelf.job(fill=fill, fields=("text",), since="maker__founded", **unseen())
    done = shelf.go(moved, watch=watch)
    assert (done.status, done.changed, seen) == ("SUCCEEDED", 4, [["0", "2"], ["3", "4"]])
    assert Item.objects.get(pk=items[1].pk).text == "mine"


WRONG = [
    ({"since": "mad", "to": {"name": "x"}}, "Item has no field named 'mad'"),
    (
        {"since": "made__day", "to": {"name": "x"}},
        "made is no relation, and has no 'day'",
    ),
    (
        {"since": "name", "to": {"name": "x"}},
        "since = 'name': a CharField is neither a date nor a time",
    ),
    ({"since": "tag__name", "to": {"name": "x"}}, "since = 'tag__name': tag leads to many rows"),
    ({}, "one of to, fill and each says what a row becomes, not none"),
    (
        {"to": {"name": "x"}, "each": print, "fields": ("name",)},
        "one of to, fill and each says what a row becomes, not to and each",
    ),
    ({"fill": print}, "fields names what fill or each sets, and stands with one of them alone"),
    ({"to": {"nam": "x"}}, "Item has no field named 'nam'"),
    ({"to": {"doubled": 1}}, "what doubled was cannot be kept: the database computes it"),
    ({"to": {"pk": 1}}, "what pk was cannot be kept: it is the primary key"),
    (
        {"was": {"name": Upper("name")}, "to": {"name": "x"}},
        "was takes constants alone, and name is an expression",
    ),
    (
        {"due": lambda _: Item.objects.values("pk"), "to": {"name": "x"}},
        "due must return rows of one table: no slice, no union, no values()",
    ),
    (
        {"due": lambda _: Item.objects.all()[:5], "to": {"name": "x"}},
        "due must return rows of one table: no slice, no union, no values()",
    ),
    (
        {"to": {"name": "x"}, "population": Maker.objects.all},
        "population is of another model than due",
    ),
]


@pytest.mark.parametrize(("values", "said"), WRONG, ids=map(str, range(len(WRONG))))
@pytest.mark.usefixtures("shelf")
def test_what_is_wrong_is_said_when_it_is_registered(values, said):
    """By Django's checks, and by the first use, in one line, before anything is written."""
    moved = shelf.job(**values)
    line = f"tidy: {said}."
    assert checking.faults(moved) == [line]
    assert [(error.id, error.msg) for error in check_transitions()] == [("runbook_jobs.E003", line)]
    for use in (lambda: shelf.go(moved), lambda: preview_transition(moved, now=NOW)):
        with pytest.raises(ConfigError) as wrong:
            use()
        assert str(wrong.value) == line
    assert not Run.objects.exists()


def test_jobs_of_this_product_are_right(db):
    """Nothing is wrong with what is registered."""
    assert set(registry.transitions()) >= {"expire_trials", "fill_display_names"}
    assert check_transitions() == []


@pytest.mark.parametrize("field", ["account__created", "date_joined"])
def test_path_leads_through_relations_to_one(field):
    """Forward and back."""
    assert paging.path(UserFactory._meta.model, field)[-1].name in field
