"""The rows of batches are found whatever their keys are."""

import datetime
import uuid
from decimal import Decimal

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from django_runbook.jobs.ledger.reading.keys import family
from django_runbook.jobs.ledger.reading.rows import batches_that_changed, changed_later
from django_runbook.jobs.models import Batch, Run, Status
from users.models import User

pytestmark = pytest.mark.django_db

LARGE = 2**70
AT = datetime.datetime(2026, 3, 1, 4, 17, 5, 123000, tzinfo=datetime.UTC)
KEYS = {
    "integer": (models.AutoField(primary_key=True), 7, 71),
    "negative": (models.BigIntegerField(primary_key=True), -7, 7),
    "large": (
        models.DecimalField(primary_key=True, max_digits=30, decimal_places=0),
        LARGE,
        -LARGE,
    ),
    "uuid": (models.UUIDField(primary_key=True), uuid.UUID(int=7), uuid.UUID(int=71)),
    "text": (models.CharField(primary_key=True, max_length=9), '7"\\é', "7"),
    "time": (models.DateTimeField(primary_key=True), AT, AT + datetime.timedelta(seconds=1)),
    "price": (
        models.DecimalField(primary_key=True, max_digits=9, decimal_places=2),
        Decimal("7.10"),
        Decimal("71.00"),
    ),
}


def model_with(field: models.Field) -> type[models.Model]:
    """Return a model with this primary key; there is no table of it."""
    with isolate_apps("users"):
        values = {"id": field.clone(), "__module__": "tests", "__qualname__": "Thing"}
        meta = type("Meta", (), {"app_label": "users"})
        return type("Thing", (models.Model,), {**values, "Meta": meta})


def run() -> Run:
    """Return a run of things."""
    return Run.objects.create(job="tidy", status=Status.SUCCEEDED, model="users.thing")


def wrote(of: Run, number: int, *keys: object, spelt: str = "") -> Batch:
    """Return a batch of a run as the ORM writes it, or as PostgreSQL itself spells such keys."""
    batch = Batch(run=of, number=number, changed=len(keys))
    batch.ids = list(keys)
    batch.save()
    if spelt:
        sql = f"UPDATE runbook_jobs_batch SET keys = to_jsonb(%s::{spelt}[]) WHERE id = %s"
        with connection.cursor() as cursor:
            cursor.execute(sql, [list(keys), batch.pk])
    return Batch.objects.get(pk=batch.pk)


@pytest.mark.parametrize("kind", KEYS)
def test_key_is_found_again(kind):
    """Of two keys, of which one begins like the other or is its opposite, each finds its own."""
    field, key, other = KEYS[kind]
    model = model_with(field)
    first, second = run(), run()
    own = wrote(first, 1, key)
    wrote(first, 2, other)
    both = wrote(second, 1, other, key)
    assert [batch.pk for batch in batches_that_changed(model, key)] == [both.pk, own.pk]
    undo = run()
    later = changed_later([own], model=model, but=undo)
    assert [(batch.batch, batch.run) for batch in later.values()] == [(both.pk, second.pk)]
    assert changed_later([both], model=model, but=undo) == {}
    assert changed_later([own], model=model, but=second) == {}


@pytest.mark.engines("postgresql")
@pytest.mark.parametrize(
    ("kind", "spelt"), [("uuid", "uuid"), ("time", "timestamptz"), ("text", "text")]
)
def test_key_that_the_server_spelt_is_the_same(kind, spelt):
    """PostgreSQL writes a time as +00:00, Django as Z: it is one key."""
    field, key, other = KEYS[kind]
    model = model_with(field)
    mine = wrote(run(), 1, key, spelt=spelt)
    portable = wrote(run(), 1, key)
    wrote(run(), 1, other, spelt=spelt)
    found = batches_that_changed(model, key)
    assert [batch.pk for batch in found] == [portable.pk, mine.pk]
    later = changed_later([mine], model=model, but=run())
    assert [newest.batch for newest in later.values()] == [portable.pk]


def test_rows_of_a_proxy_are_the_same_rows():
    """Runs over a proxy, and over a parent or a child of an inheritance, change the same rows."""
    with isolate_apps("users"):
        proxy = type(
            "Staff",
            (User,),
            {
                "__module__": "tests",
                "__qualname__": "Staff",
                "Meta": type("Meta", (), {"app_label": "users", "proxy": True}),
            },
        )
    assert family(User) == ["users.user"]
    assert family(proxy) == ["users.staff", "users.user"]
    user = User.objects.create(username="me")
    of_user = Run.objects.create(job="tidy", status=Status.SUCCEEDED, model="users.user")
    batch = wrote(of_user, 1, user.pk)
    assert batches_that_changed(proxy, user.pk) == [batch]


def test_story_leaves_out_what_cannot_be_read():
    """A batch that is broken changes nothing about those that are not."""
    model = model_with(models.AutoField(primary_key=True))
    of = run()
    whole, *broken = (wrote(of, number, 7) for number in range(1, 4))
    Batch.objects.filter(pk=broken[0].pk).update(numbers=None, keys={"7": 7})
    Batch.objects.filter(pk=broken[1].pk).update(numbers=None, keys="7")
    assert batches_that_changed(model, 7) == [whole]
