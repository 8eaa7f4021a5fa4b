"""Made-up values have every type: of tables that no model has, of PostgreSQL, of the project."""

from typing import Any

from django.contrib.postgres import fields as postgres
from django.contrib.postgres.search import SearchVectorField
from django.db import connection, models

from django_runbook.schema.scratch.databases import Workshop
from tests.ops.schema.review.rehearsal.rows.making import filled, made, objects


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
