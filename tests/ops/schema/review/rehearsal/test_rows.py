"""Made-up rows: any table is filled, and what only rows bring out is among them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.postgres import fields as postgres
from django.contrib.postgres.search import SearchVectorField
from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.state import ModelState, ProjectState
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_runbook.schema.review.rehearsal.rows import choosing
from django_runbook.schema.review.rehearsal.rows.catalog import tables
from django_runbook.schema.review.rehearsal.rows.filling import fill
from django_runbook.schema.review.rehearsal.rows.tables import Filled
from django_runbook.schema.scratch.databases import Workshop, in_place
from django_runbook.schema.scratch.stages import Stages
from tests.ops.schema.conftest import MakeApp

Fields = dict[str, Any]


@contextmanager
def made(shop: Workshop, **shapes: Any) -> Iterator[ProjectState]:
    """Yield the state of models made of fields or of (fields, options), with their tables."""
    with in_place(shop.create(), "default") as database, made_in(database, **shapes) as state:
        yield state


@contextmanager
def made_in(database: BaseDatabaseWrapper, **shapes: Any) -> Iterator[ProjectState]:
    """Do the same in a database that is there, and drop the tables afterwards."""
    state = ProjectState()
    for name, shape in shapes.items():
        fields, options = shape if isinstance(shape, tuple) else (shape, {})
        if not any(field.primary_key for field in fields.values()):
            fields = {"id": models.BigAutoField(primary_key=True), **fields}
        state.add_model(ModelState("made", name, list(fields.items()), options))
    with database.schema_editor() as editor:
        for name in shapes:
            editor.create_model(state.apps.get_model("made", name))
    try:
        yield state
    finally:
        with database.schema_editor() as editor:
            for name in reversed(shapes):
                editor.delete_model(state.apps.get_model("made", name))


@pytest.fixture
def database(shop: Workshop) -> Iterator[BaseDatabaseWrapper]:
    """Yield a database of each engine."""
    with in_place(shop.create(), "default") as made:
        yield made


def filled(state: ProjectState, rows: int = 60, *, hostile: bool = True, **other: int) -> Filled:
    """Fill every table of a state."""
    names = {
        model._meta.db_table: rows for model in state.apps.get_models(include_auto_created=True)
    }
    return fill(connection, state.apps, {**names, **other}, hostile=hostile)


def objects(state: ProjectState, name: str) -> list[Any]:
    """Return what the ORM reads from a model's table."""
    return list(state.apps.get_model("made", name).objects.order_by("pk"))


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


def test_types_and_tables_that_no_model_has(postgresql: Workshop) -> None:
    """Tables of RunSQL are filled by their catalogue: enums, domains, ranges, arrays, any type."""
    with made(postgresql, Thing={"name": models.TextField()}) as state:
        with connection.cursor() as cursor:
            cursor.execute(r"""
                CREATE TYPE mood AS ENUM ('sad', 'happy');
                CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 1000000);
                CREATE DOMAIN word AS text CHECK (VALUE ~ '^\S+$');
                CREATE TABLE bare (
                    w word NOT NULL, m mood NOT NULL, p percent NOT NULL,
                    id int GENERATED ALWAYS AS IDENTITY,
                    r int4range NOT NULL, a text[] NOT NULL, b bit(8) NOT NULL, pt point NOT NULL,
                    bx box NOT NULL, ts tsvector NOT NULL, n numeric NOT NULL, mac macaddr NOT NULL,
                    thing bigint NOT NULL REFERENCES made_thing (id), x xml, "odd ""name%" int,
                    twice int GENERATED ALWAYS AS (id * 2) STORED,
                    during tstzrange, EXCLUDE USING gist (during WITH &&));
                CREATE UNIQUE INDEX ON bare (lower(a[1]), p);
            """)
        done = filled(state, bare=60)
    assert (done.rows["bare"], done.gaps) == (60, ())


def test_fields_of_postgresql_are_read_back(postgresql: Workshop) -> None:
    """The ORM reads arrays, ranges and search vectors from made-up rows."""
    fields = {
        "tags": postgres.ArrayField(models.CharField(max_length=5)),
        "days": postgres.DateRangeField(),
        "words": SearchVectorField(),
    }
    with made(postgresql, Thing=fields) as state:
        assert filled(state).gaps == ()
        row = objects(state, "Thing")[4]
    assert (len(row.tags), row.days.upper > row.days.lower, row.words) == (1, True, "'word1'")


def test_a_field_of_the_projects_own_stores_what_it_would(shop: Workshop) -> None:
    """A custom field may store another text than it shows: it is asked for it."""

    class Reversed(models.CharField):
        def get_prep_value(self, value: Any) -> Any:
            return f"<{value}>"

        def from_db_value(self, value: str, *_: Any) -> str:
            assert value[0] + value[-1] == "<>"
            return value[1:-1]

    with made(shop, Thing={"name": Reversed(max_length=40)}) as state:
        filled(state, hostile=False)
        assert objects(state, "Thing")[7].name == "text-7"


def test_only_tables_that_matter_are_chosen(
    postgresql: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> None:
    """What an operation names gets all rows, what stands around it some, the rest none."""
    make_app(
        "shop",
        m0001_initial="""[
            migrations.CreateModel("A", [("id", models.BigAutoField(primary_key=True))]),
            migrations.CreateModel("B", [("id", models.BigAutoField(primary_key=True)),
                ("a", models.ForeignKey("shop.A", models.CASCADE)),
                ("n", models.IntegerField())]),
            migrations.CreateModel("C", [("id", models.BigAutoField(primary_key=True)),
                ("b", models.ForeignKey("shop.B", models.CASCADE))]),
            migrations.CreateModel("D", [("id", models.BigAutoField(primary_key=True))]),
        ]""",
        m0002_index="""[
            migrations.AddIndex("b", models.Index(fields=["n"], name="b_n")),
            migrations.SeparateDatabaseAndState(
                [migrations.AlterField("b", "n", models.BigIntegerField())],
                [migrations.RunSQL("SELECT 1")]),
        ]""",
        m0003_code="""[migrations.RunPython(migrations.RunPython.noop)]""",
    )
    chosen = {}
    stages = stages_on(postgresql)
    for name in ("0002_index", "0003_code"):
        with stages.before(("shop", name)) as stage:
            apps = stage.state.apps
            found = tables(stage.connection, apps)
            chosen[name] = choosing.wanted(stage.migration, apps, found, 2000)
    around = choosing.AROUND
    assert chosen["0002_index"] == ({"shop_a": around, "shop_b": 2000, "shop_c": around}, ())
    assert chosen["0003_code"] == ({f"shop_{name}": 2000 for name in "abcd"}, ())


def test_too_many_tables_are_a_gap(
    postgresql: Workshop,
    make_app: MakeApp,
    stages_on: Callable[[Workshop], Stages],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of more tables than can be filled the app's own come first, and what is left out is said."""
    model = 'migrations.CreateModel("{}", [("id", models.BigAutoField(primary_key=True))]),'
    make_app("other", m0001_initial="[" + model.format("Z") + "]")
    make_app(
        "shop",
        m0001_initial="""
        class Migration(migrations.Migration):
            dependencies = [("other", "0001_initial")]
            operations = [MODELS]
        """.replace("MODELS", "".join(model.format(name) for name in "ABC")),
        m0002_code="""[migrations.RunSQL("SELECT 1")]""",
    )
    monkeypatch.setattr(choosing, "MOST", 3)
    monkeypatch.setattr(choosing, "ALL", 900)
    with stages_on(postgresql).before(("shop", "0002_code")) as stage:
        apps = stage.state.apps
        chosen = choosing.wanted(stage.migration, apps, tables(stage.connection, apps), 2000)
    assert chosen == (
        {"shop_a": 300, "shop_b": 300, "shop_c": 300},
        ("1 of 4 tables have no rows: too many to fill.",),
    )
