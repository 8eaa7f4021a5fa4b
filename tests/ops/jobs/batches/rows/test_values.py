"""Values as the ledger keeps them: nothing is lost on the way in and out."""

import datetime
import json
import uuid
from decimal import Decimal

import pytest
from django.contrib.postgres.fields import ArrayField, HStoreField
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils import timezone

from django_runbook.jobs.batches.rows import values
from tests.ops.jobs.shelf import Item, Tag

pytestmark = pytest.mark.engines("sqlite", "postgresql")

ZONE = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
VALUES = [
    ("name", 'ünï \u2028 "x"', 'ünï \u2028 "x"'),
    ("price", Decimal("-1234567.80"), "-1234567.80"),
    ("sold", -(2**30), -(2**30)),
    ("made", datetime.date(1, 1, 1), "0001-01-01"),
    (
        "at",
        datetime.datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=datetime.UTC),
        "2026-03-29T01:59:59.999999+00:00",
    ),
    ("daily", datetime.time(23, 59, 59, 1), "23:59:59.000001"),
    ("took", datetime.timedelta(days=-3, microseconds=7), "-3 00:00:00.000007"),
    ("ratio", 0.1 + 0.2, 0.1 + 0.2),
    ("flag", False, False),
    ("code", uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ("note", {"a": [1, None, {"b": "\u00e9"}], "c": 1.5}, {"a": [1, None, {"b": "é"}], "c": 1.5}),
    ("note", "text", "text"),
    ("data", b"\x00\xff\r\n", "AP8NCg=="),
    ("file", "2026/a b.pdf", "2026/a b.pdf"),
    ("address", "2001:db8::1", "2001:db8::1"),
    ("text", "", ""),
]


@pytest.mark.parametrize(("name", "value", "plain"), VALUES)
def test_value_comes_back_as_it_was(shelf, name, value, plain):
    """Out of the database, through JSON, and back into it: the same row."""
    field = Item._meta.get_field(name)
    row = Item.objects.create(**{name: value})
    read = Item.objects.values_list(name, flat=True).get()
    told = values.encode(field, read)
    assert told == plain
    back = values.decode(field, json.loads(json.dumps(told)))
    Item.objects.filter(pk=row.pk).update(**{name: None if field.null else field.default})
    Item.objects.filter(pk=row.pk).update(**{name: back})
    again = Item.objects.values_list(name, flat=True).get()
    assert again == read
    assert (bytes(again) if name == "data" else again) == value
    assert values.encode(field, again) == told


@pytest.mark.parametrize("name", sorted({name for name, *_ in VALUES} - {"name", "price", "sold"}))
def test_nothing_is_kept_as_nothing(name):
    """NULL is null, and comes back so."""
    field = Item._meta.get_field(name)
    assert values.encode(field, None) is None
    assert values.decode(field, None) is None


def test_instances_are_encoded_as_what_the_database_has(shelf):
    """Also what Python has not read from there: a text for a number, a zone of its own."""
    at = datetime.datetime(2026, 3, 1, 5, 30, tzinfo=ZONE)
    assert values.encode(Item._meta.get_field("sold"), "7") == 7
    assert (
        values.decode(Item._meta.get_field("at"), values.encode(Item._meta.get_field("at"), at))
        == at
    )
    assert values.encode(Item._meta.get_field("ratio"), float("inf")) == "inf"
    assert values.decode(Item._meta.get_field("ratio"), "inf") == float("inf")
    assert values.encode(Item._meta.get_field("maker"), 5) == 5
    assert values.decode(Item._meta.get_field("maker"), 5) == 5
    assert timezone.is_aware(values.decode(Item._meta.get_field("at"), at.isoformat()))


def test_fields_of_postgresql_have_a_text_form():
    """Arrays, key-value stores and search vectors come back too."""
    array = ArrayField(models.DateField())
    array.set_attributes_from_name("days")
    array.model = type("Row", (), {})
    store = HStoreField()
    store.set_attributes_from_name("pairs")
    store.model = array.model
    days = [datetime.date(2026, 3, 1), None]
    assert values.decode(array, values.encode(array, days)) == days
    assert values.decode(store, values.encode(store, {"a": "1", "b": None})) == {
        "a": "1",
        "b": None,
    }
    vector = SearchVectorField()
    vector.set_attributes_from_name("found")
    assert values.unkept(array) == values.unkept(store) == ""
    assert values.encode(vector, "'fat':2 'rat':3") == "'fat':2 'rat':3"


class Odd(models.Field):
    """A field of somebody's own, of which nothing is known."""


def test_what_cannot_be_kept_is_said():
    """Each in half a sentence."""
    odd = Odd()
    odd.set_attributes_from_name("odd")
    fields = {
        "doubled": Item._meta.get_field("doubled"),
        "id": Item._meta.get_field("id"),
        "items": Tag._meta.get_field("items"),
        "odd": odd,
    }
    assert {name: values.unkept(field) for name, field in fields.items()} == {
        "doubled": "the database computes it",
        "id": "it is the primary key",
        "items": "it is no column of the table",
        "odd": "Odd has no text form",
    }
    assert values.unkept(Item._meta.get_field("maker")) == ""
