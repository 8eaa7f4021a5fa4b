"""What an SQLite database is built of, as its PRAGMAs and its statements say."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_runbook.schema.fingerprints.reading import fingerprint
from django_runbook.schema.fingerprints.sqlite_parser import parse
from django_runbook.schema.scratch.databases import Workshop, workshop
from tests.ops.schema.fingerprints.fingerprinting import build, changed_by, kinds, told

SQLITE = (
    "CREATE TABLE django_migrations (id integer PRIMARY KEY, app text)",
    "CREATE INDEX recorded ON django_migrations (app)",
    """CREATE TABLE "shop" ( -- a comment, (that counts for nothing
        "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
        "name" varchar(30) COLLATE "NOCASE" DEFAULT 'it''s, (a) "shop"' NOT NULL UNIQUE,
        "price" decimal NULL CHECK ("price" > 0),
        "twice" decimal GENERATED ALWAYS AS ("price" * 2) STORED,
        "check" text, [my column] real,
        CONSTRAINT "both" UNIQUE ("name", "price"),
        CONSTRAINT "long" CHECK (length("name") > 2 AND "name" <> 'NOT null'))""",
    """CREATE TABLE "item" ("shop_id" bigint NOT NULL
        REFERENCES "shop" ("id") ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
        "a" int, "b" int, PRIMARY KEY ("a", "b"),
        CONSTRAINT "key" FOREIGN KEY ("b") REFERENCES "shop" ("id") NOT DEFERRABLE)
        WITHOUT ROWID""",
    """CREATE UNIQUE INDEX "more" ON "item" (("a" + 1) DESC, "b" ASC) WHERE "a" > 2""",
    "CREATE TRIGGER stamped AFTER UPDATE ON shop BEGIN DELETE FROM item; END",
    "CREATE VIEW cheap AS SELECT id FROM shop WHERE price < 3",
    "CREATE VIRTUAL TABLE words USING fts5(text)",
)
SQLITE_READ = {
    "column": {
        "item.a": "int",
        "item.b": "int",
        "item.shop_id": "bigint not null",
        "shop.check": "text",
        "shop.id": "integer not null",
        "shop.my column": "real",
        "shop.name": """varchar (30) collate nocase default 'it''s, (a) "shop"' not null""",
        "shop.price": "decimal",
        "shop.twice": "decimal generated always as (price * 2) stored",
        "words.rank": '["", 0, null, 0]',
        "words.text": '["", 0, null, 0]',
        "words.words": '["", 0, null, 0]',
    },
    "constraint": {
        "item.": "primary key (a, b)",
        "item.key": "foreign key (b) references shop (id) not deferrable",
        "shop.": "unique (name)",
        "shop.both": "unique (name, price)",
        "shop.long": "check (length (name) > 2 and name <> 'NOT null')",
    },
    "index": {"item.more": "unique on item ((a + 1) desc, b) where a > 2"},
    "order": {
        "item": '["shop_id", "a", "b"]',
        "shop": '["id", "name", "price", "twice", "check", "my column"]',
        "words": '["text", "words", "rank"]',
    },
    "table": {
        "item": "table without rowid",
        "shop": "table",
        "words": "create virtual table words using fts5 (text)",
    },
    "trigger": {
        "shop.stamped": "create trigger stamped after update on shop begin delete from item ; end",
    },
    "view": {"cheap": "create view cheap as select id from shop where price < 3"},
}
SQLITE_CHANGES = {
    'ALTER TABLE "item" ADD "c" text COLLATE nocase': "column",
    "DROP INDEX more": "index",
    "DROP TRIGGER stamped": "trigger",
    "DROP VIEW cheap": "view",
    "DROP TABLE item": "table",
    "CREATE INDEX less ON shop (name COLLATE binary)": "index",
    "INSERT INTO shop (name) VALUES ('a name')": "",
    "ALTER TABLE django_migrations ADD name text": "",
}


@pytest.fixture
def sqlite(scratch_server: None) -> Iterator[Workshop]:
    """Yield a workshop of SQLite, for what the other engine has not."""
    with workshop("sqlite", "default") as made:
        yield made


def test_sqlite_is_read_in_whole(sqlite: Workshop) -> None:
    """What migrations make is told; comments, quotes and shadow tables are not."""
    found = fingerprint(build(sqlite, SQLITE))
    assert told(found) == SQLITE_READ
    assert [pair for pair in found.entries["constraint"] if pair[0].endswith(".")] == [
        (
            "item.",
            (
                "foreign key (shop_id) references shop (id) on delete set null "
                "deferrable initially deferred"
            ),
        ),
        ("item.", "primary key (a, b)"),
        ("shop.", "check (price > 0)"),
        ("shop.", "primary key (id) autoincrement"),
        ("shop.", "unique (name)"),
    ]


def test_each_change_is_seen_on_sqlite(sqlite: Workshop) -> None:
    """A change of each kind is seen as what it is; rows are none."""
    made = build(sqlite, SQLITE)
    assert changed_by(made, SQLITE_CHANGES) == SQLITE_CHANGES


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ('"a" int NULL, "b" int', "a INT, [b]  int /* more */", ""),
        ("a int NOT NULL DEFAULT 1", "a int DEFAULT 1 NOT NULL", ""),
        ("a int UNIQUE", "a int, UNIQUE (a)", ""),
        ("a int PRIMARY KEY", "a int, PRIMARY KEY (a)", ""),
        ("a int REFERENCES t (a)", "a int, FOREIGN KEY (a) REFERENCES t (a)", ""),
        ("a int CHECK (a > 1)", "a int, CHECK (a > 1)", ""),
        ("a int CHECK (a > 1)", "a int, CONSTRAINT one CHECK (a > 1)", "names constraint"),
        ("a int, b int", "b int, a int", "order order"),
        ("a text DEFAULT 'x'", "a text DEFAULT 'X'", "column"),
        ("a text COLLATE nocase", "a text", "column"),
        ("a int, b int AS (a + 1)", "a int, b int AS (a + 2)", "column"),
        ("a int CHECK (a > 1)", "a int CHECK (a > 2)", "constraint"),
        ("a integer PRIMARY KEY AUTOINCREMENT", "a integer PRIMARY KEY", "constraint"),
        ("a int REFERENCES t", "a int REFERENCES t DEFERRABLE INITIALLY DEFERRED", "constraint"),
        ("a int REFERENCES t", "a int REFERENCES t ON DELETE SET DEFAULT", "constraint"),
    ],
)
def test_spelling_of_a_table(sqlite: Workshop, before: str, after: str, seen: str) -> None:
    """Two texts of one table are equal; what they say differently is seen."""
    left, right = (
        fingerprint(build(sqlite, [f"CREATE TABLE t ({body})"])) for body in (before, after)
    )
    assert kinds(left, right) == seen


WORDS = st.sampled_from(["a", "B", "check", "on", "my name", 'se"t', "é", "null", "x)", "y,z"])
CLAUSES = {
    "notnull": " NOT NULL ON CONFLICT FAIL",
    "unique": " UNIQUE",
    "default": " DEFAULT (1 + (2))",
    "check": " CHECK ('not null, (' <> 'x')",
    "references": " REFERENCES t (id) ON DELETE SET NULL NOT DEFERRABLE",
    "collate": " CONSTRAINT c COLLATE nocase",
}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(WORDS, st.permutations([*CLAUSES]), st.integers(0, len(CLAUSES))),
        min_size=1,
        unique_by=lambda column: column[0],
    )
)
def test_a_table_is_taken_apart_as_sqlite_does(
    columns: list[tuple[str, list[str], int]],
) -> None:
    """Whatever the names and the clauses, in any order, SQLite's own PRAGMAs say the same."""
    kept = {name: set(clauses[:count]) for name, clauses, count in columns}
    body = ", ".join(
        '"' + name.replace('"', '""') + '" int' + "".join(CLAUSES[each] for each in clauses[:count])
        for name, clauses, count in columns
    )
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute(f"CREATE TABLE t ({body})")
        (sql,) = made.execute("SELECT sql FROM sqlite_master WHERE type = 'table'").fetchone()
        info = made.execute("SELECT name, \"notnull\", dflt_value FROM pragma_table_info('t')")
        pragma = [(name, bool(no), default is not None) for name, no, default in info]
        keys = len(made.execute("PRAGMA foreign_key_list(t)").fetchall())
        unique = len(made.execute("PRAGMA index_list(t)").fetchall())
    table = parse(sql)
    texts = [text for _name, text in table.constraints]
    assert [
        (name, "not null" in text, "default" in text)
        for (name, *_rest), text in zip(columns, table.columns.values(), strict=True)
    ] == pragma
    assert sum(text.startswith("foreign key") for text in texts) == keys
    assert sum(text.startswith("unique") for text in texts) == unique
    assert sum(text.startswith("check (") for text in texts) == sum(
        "check" in clauses for clauses in kept.values()
    )
    assert sum("collate nocase" in text for text in table.columns.values()) == sum(
        "collate" in clauses for clauses in kept.values()
    )
