"""Any table is filled, and what only rows bring out is among them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_runbook.schema.review.rehearsal.rows.filling import fill
from django_runbook.schema.review.rehearsal.rows.tables import Filled
from django_runbook.schema.scratch.databases import Workshop, in_place
from tests.ops.schema.review.rehearsal.rows.making import filled, made, made_in, objects

Fields = dict[str, Any]


@pytest.fixture
def database(shop: Workshop) -> Iterator[BaseDatabaseWrapper]:
    """Yield a database of each engine."""
    with in_place(shop.create(), "default") as made:
        yield made


SIMPLE: dict[str, Callable[..., Any]] = {
    "big": models.BigIntegerField,
    "binary": models.BinaryField,
    "boolean": models.BooleanField,
    "char": lambda **o: models.CharField(max_length=12, **o),
    "char1": lambda **o: models.CharField(max_length=3, **o),
    "choice": lambda **o: models.CharField(
        max_length=9, **(o if o.get("unique") else {**o, "choices": [("a", "A"), ("b", "B")]})
    ),
    "date": models.DateField,
    "datetime": models.DateTimeField,
    "decimal": lambda **o: models.DecimalField(max_digits=7, decimal_places=3, **o),
    "duration": models.DurationField,
    "email": models.EmailField,
    "float": models.FloatField,
    "integer": models.IntegerField,
    "ip": models.GenericIPAddressField,
    "json": models.JSONField,
    "positive": models.PositiveSmallIntegerField,
    "slug": models.SlugField,
    "small": models.SmallIntegerField,
    "text": models.TextField,
    "time": models.TimeField,
    "url": models.URLField,
    "uuid": models.UUIDField,
}
FEW_VALUES = {"boolean"}
COLUMN = st.tuples(st.sampled_from(sorted(SIMPLE)), st.booleans(), st.booleans())


@pytest.mark.slow
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    columns=st.lists(COLUMN, min_size=1, max_size=9),
    together=st.integers(min_value=0, max_value=3),
    parent=st.sampled_from(["none", "null", "one", "many"]),
)
def test_any_shape_is_filled(
    database: BaseDatabaseWrapper, columns: list[tuple[str, bool, bool]], together: int, parent: str
) -> None:
    """Whichever fields a model has, it gets all its rows, the ORM reads them, and they repeat."""
    fields: Fields = {
        f"f{place}_{kind}": SIMPLE[kind](null=null, unique=unique and kind not in FEW_VALUES)
        for place, (kind, null, unique) in enumerate(columns)
    }
    names = [name for name in fields if not name.endswith(("boolean", "choice"))][:together]
    if parent != "none":
        relation = models.OneToOneField if parent == "one" else models.ForeignKey
        fields["parent"] = relation("made.Parent", models.CASCADE, null=parent == "null")
        names = [*names, "parent"] if names and parent == "many" else names
    options = {"unique_together": {tuple(names)}} if len(names) > 1 else {}
    seen = []
    for _ in range(2):
        shapes = {"Parent": {"name": models.TextField()}, "Thing": (fields, options)}
        with made_in(database, **shapes) as state:
            done = filled(state)
            assert done == Filled(rows={"made_parent": 60, "made_thing": 60})
            rows = objects(state, "Thing")
            seen.append([[getattr(row, f.attname) for f in row._meta.fields] for row in rows])
    assert repr(seen[0]) == repr(seen[1])
    for place, field in enumerate(rows[0]._meta.fields):
        values = [row[place] for row in seen[0]]
        assert (None in values) is bool(field.null)
        if not field.unique and field.name not in names:
            assert len(set(map(repr, values))) < len(values)


def test_hostile_rows_reach_the_limits(shop: Workshop) -> None:
    """Text of the full length, numbers beyond a narrower type, NULLs and duplicates are there."""
    fields = {
        "text": models.CharField(max_length=30),
        "number": models.BigIntegerField(null=True),
        "amount": models.DecimalField(max_digits=6, decimal_places=2),
    }
    with made(shop, Thing=fields) as state:
        filled(state)
        rows = objects(state, "Thing")
    assert max(len(row.text) for row in rows) == 30
    assert max(row.number or 0 for row in rows) > 2**32
    assert max(row.amount for row in rows) > 9998
    assert None in {row.number for row in rows}
    assert len({row.text for row in rows}) < 60


def test_harmless_rows_stay_within_them(shop: Workshop) -> None:
    """The other rows have no NULL, no value twice, and nothing long or large."""
    fields = {
        "text": models.CharField(max_length=30, null=True),
        "number": models.BigIntegerField(null=True),
        "kind": models.ForeignKey("made.Kind", models.CASCADE, null=True),
    }
    with made(shop, Kind={"name": models.TextField()}, Thing=fields) as state:
        filled(state, hostile=False)
        rows = objects(state, "Thing")
    assert [row.text for row in rows] == [f"text-{number}" for number in range(60)]
    assert [row.number for row in rows] == list(range(60))
    assert None not in {row.kind_id for row in rows}


def test_checks_choose_the_rows(shop: Workshop) -> None:
    """Constraints that most values break are met, with values that they name themselves."""
    check = models.CheckConstraint
    fields = {
        "status": models.CharField(max_length=9),
        "low": models.IntegerField(),
        "high": models.IntegerField(),
    }
    options = {
        "constraints": [
            check(condition=models.Q(status__in=["open", "it's"]), name="status"),
            check(condition=models.Q(high__gt=models.F("low"), low__gte=700), name="range"),
        ]
    }
    with made(shop, Thing=(fields, options)) as state:
        done = filled(state)
        rows = objects(state, "Thing")
    assert done.gaps == ()
    assert len(rows) >= 6
    assert {row.status for row in rows} == {"open", "it's"}


def test_a_table_that_refuses_every_row_is_a_gap(shop: Workshop) -> None:
    """What cannot be filled is said, with how many rows there are, and hinders no other table."""
    never = models.CheckConstraint(condition=models.Q(low__gt=models.F("low")), name="never")
    fields = {"low": models.IntegerField()}
    with made(shop, Other=fields, Thing=(fields, {"constraints": [never]})) as state:
        done = filled(state)
    assert done == Filled(
        rows={"made_other": 60, "made_thing": 0},
        gaps=(
            "made_thing: 0 of 60 rows could be made up: its constraints refuse what is made up.",
        ),
    )


def test_relations_of_every_kind(shop: Workshop) -> None:
    """A tree, a circle, many-to-many, a child's table and a key that is no id are all filled."""
    cascade = models.CASCADE
    shapes = {
        "Tree": {"parent": models.ForeignKey("self", cascade, null=True)},
        "Egg": {"hen": models.ForeignKey("made.Hen", cascade)},
        "Hen": {"egg": models.ForeignKey("made.Egg", cascade, null=True)},
        "Base": {"name": models.TextField()},
        "Child": {
            "base_ptr": models.OneToOneField("made.Base", cascade, primary_key=True),
            "more": models.TextField(),
        },
        "Code": {"code": models.CharField(max_length=8, primary_key=True)},
        "Coded": {"code": models.ForeignKey("made.Code", cascade, db_constraint=False)},
        "Group": {"trees": models.ManyToManyField("made.Tree")},
    }
    with made(shop, **shapes) as state:
        done = filled(state)
        trees, hens = objects(state, "Tree"), objects(state, "Hen")
        codes = {row.code for row in objects(state, "Code")}
        coded = {row.code_id for row in objects(state, "Coded")}
    assert done.gaps == ()
    assert set(done.rows.values()) == {60}
    assert done.rows.keys() >= {"made_group_trees", "made_child"}
    assert trees[0].parent_id is None
    assert {row.parent_id for row in trees} == {None, trees[0].pk}
    assert len({row.egg_id for row in hens}) > 1
    assert coded <= codes
    assert len(coded) > 1


def test_what_is_unique_together_comes_in_every_combination(shop: Workshop) -> None:
    """Few values are combined until none is left; a column of many has the same value again."""
    parent = models.ForeignKey("made.Parent", models.CASCADE)
    few = (
        {"parent": parent, "flag": models.BooleanField()},
        {"unique_together": {("parent", "flag")}},
    )
    many = (
        {"parent": parent.clone(), "slug": models.SlugField()},
        {"unique_together": {("parent", "slug")}},
    )
    with made(shop, Parent={"name": models.TextField()}, Few=few, Many=many) as state:
        done = fill(connection, state.apps, {"made_parent": 10, "made_few": 20, "made_many": 20})
        slugs = {row.slug.rstrip("x") for row in objects(state, "Many")}
    assert done == Filled(rows={"made_parent": 10, "made_few": 20, "made_many": 20})
    assert slugs == {"slug-0", "slug-1"}


def test_rows_come_beside_those_that_are_there(shop: Workshop) -> None:
    """Rows of data migrations stay, and an insert afterwards gets a key of its own."""
    with made(shop, Thing={"name": models.CharField(max_length=20, unique=True)}) as state:
        model = state.apps.get_model("made", "Thing")
        model.objects.create(name="text-3")
        done = filled(state, 10)
        model.objects.create(name="after")
        names = set(model.objects.values_list("name", flat=True))
    assert done.rows == {"made_thing": 10}
    assert names >= {"text-3", "after"}
