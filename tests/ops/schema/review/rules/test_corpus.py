"""The rules find each labelled danger, and nothing in the harmless migrations."""

import re
from pathlib import Path

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.catalogue import RULES
from django_runbook.schema.review.rules.checking import risks
from tests.ops.schema.review.cases import built
from tests.ops.schema.review.rules.corpus import CASES, Case
from tests.ops.schema.review.rules.harmless import HARMLESS
from tests.ops.schema.review.rules.hazards import HAZARDS


def unconnected(vendor: str = "postgresql") -> BaseDatabaseWrapper:
    """Return a connection of an engine that is never opened: the rules ask for types alone."""
    engine = {"sqlite": "sqlite3"}.get(vendor, vendor)
    values = connections.configure_settings(
        {"default": {"ENGINE": f"django.db.backends.{engine}", "NAME": "nowhere"}}
    )["default"]
    return load_backend(values["ENGINE"]).DatabaseWrapper(values, "default")


def of(case: Case, folder: Path, vendor: str = "postgresql") -> tuple[Risk, ...]:
    """Return what the rules find in a case."""
    return risks(*built(case, folder), unconnected(vendor))


def line(risk: Risk) -> str:
    """Return a risk in one line."""
    return (
        f"{risk.operation} {risk.severity.name} {risk.rule} {risk.table or '-'}: "
        f"{risk.reason} => {risk.rewrite}"
    )


WARNINGS = {
    "changes-whole-table",
    "half-state",
    "irreversible",
    "loads-whole-table",
    "remove-index",
    "saves-row-by-row",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_the_rules_find(case: Case, tmp_path: Path) -> None:
    """Exactly the labelled dangers are found, and a second look at the same state finds the same.

    What cannot be undone, or is slow, warns; what breaks or blocks others is a danger.
    """
    migration, state = built(case, tmp_path)
    found = risks(migration, state, unconnected())
    assert {risk.rule for risk in found if risk.severity > Severity.NOTE} == case.rules
    assert {risk.rule for risk in found if risk.severity is Severity.WARNING} <= WARNINGS
    assert not {risk.rule for risk in found if risk.severity is Severity.DANGER} & WARNINGS
    assert {risk.source for risk in found} <= {"rules"}
    assert risks(migration, state, unconnected()) == found


def test_the_corpus_holds_a_case_for_each_rule() -> None:
    """Each rule has its labelled migration, but those that judge no migration or only note."""
    elsewhere = {"accepts-nothing", "unreadable-file", "unseen-operation", "ignores-alias"}
    later = {"add-primary-key"}
    assert {case.rule for case in HAZARDS} == set(RULES) - elsewhere - later
    assert len(HAZARDS) >= 27
    assert len(HARMLESS) >= 12
    assert len({case.name for case in CASES}) == len(CASES)


def test_names_are_kebab_case() -> None:
    """A rule's name can be written behind ``# accepts``."""
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in RULES)


TEXTS = {
    "order with respect to": (
        "0 DANGER add-not-null shop_thing: shop_thing._order is NOT NULL, and Django drops the "
        "default again: INSERTs of code that still runs do not name it, and fail. => Order by a "
        "field of your own that has a db_default.\n"
    ),
    "rename field": (
        "0 DANGER rename-column shop_thing: shop_thing.name becomes title: code that still runs "
        "names name in each SELECT and INSERT, and fails. => Keep the column's name: title = "
        "CharField(…, db_column='name').\n"
    ),
    "delete model that others refer to": (
        "0 DANGER drop-table shop_shelf: shop_shelf goes with its rows: code that still runs asks"
        " for it, and fails. => First release code without Shelf, with "
        "SeparateDatabaseAndState(state_operations=[DeleteModel('Shelf')]); drop shop_shelf with "
        "RunSQL in a later release.\n"
        "0 DANGER drop-referenced shop_shelf: shop.Thing.seen and shop.Thing.shelf still refer to"
        " shop_shelf: CASCADE drops the foreign key silently, and the values point to nothing. =>"
        " Remove shop.Thing.seen and shop.Thing.shelf first, in a migration that this one depends"
        " on.\n"
    ),
    "remove field, in the database alone": (
        "0 DANGER drop-column shop_thing: shop_thing.name goes with its values: code that still "
        "runs names it in each SELECT and INSERT, and fails. => First release code without it, "
        "with SeparateDatabaseAndState(state_operations=[RemoveField('thing', 'name')]); drop the"
        " column with RunSQL in a later release. Before that let name be null=True or give it a "
        "db_default, or the new code's INSERTs fail.\n"
    ),
    "add NOT NULL without a default": (
        "0 DANGER add-not-null shop_thing: shop_thing.size is NOT NULL, and has no default: the "
        "migration fails on a table with rows, and INSERTs of code that still runs do not name "
        "it, and fail. => Give size a db_default (it stays in the database), or add it with "
        "null=True and make it NOT NULL once all code fills it.\n"
    ),
    "refuse NULL": (
        "0 DANGER set-not-null shop_thing: shop_thing.note refuses NULL: rows that hold one make "
        "the migration fail, INSERTs of code that still runs may leave it out, and all rows are "
        "read while nobody reads or writes shop_thing. => Fill the rows in batches, then "
        "AddConstraintNotValid(CheckConstraint(condition=Q(note__isnull=False))), "
        "ValidateConstraint in a migration of its own, and AlterField last: PostgreSQL then "
        "trusts the constraint.\n"
    ),
    "varchar to text": (
        "0 NOTE change-type shop_thing: shop_thing.name changes from varchar(50) to text: "
        "PostgreSQL keeps the rows as they are. => Nothing to do.\n"
    ),
    "add foreign key": (
        "0 DANGER add-index shop_thing: The index of shop_thing.place_id is built while nobody "
        "writes to shop_thing. => Give place db_index=False, and add an Index(fields=['place']) "
        "to the model by AddIndexConcurrently, in a migration of its own with atomic = False.\n"
        "0 NOTE add-foreign-key shop_thing: shop_thing.place_id refers to shop_shelf and begins "
        "with NULL: PostgreSQL checks no row, and stops writes to shop_shelf for a moment. => "
        "Nothing to do.\n"
    ),
    "check": (
        "0 DANGER add-check shop_thing: All rows of shop_thing are read for positive while nobody"
        " reads or writes it; one that does not fit makes the migration fail. => Use "
        "AddConstraintNotValid('thing', …) for positive, and ValidateConstraint('thing', "
        "'positive') in a migration of its own.\n"
    ),
    "schema, then rows by SQL": (
        "1 DANGER mixed-data-and-schema shop_thing: Rows and schema change in one transaction: "
        "the lock on shop_thing is held while the rows change. => Put the change of rows into a "
        "migration of its own, between those of the schema.\n"
    ),
    "saves each row": (
        "0 WARNING saves-row-by-row -: thing.save(): one statement for each row, and the locks of"
        " all of them are held until the end. => Use one update() with F expressions, or "
        "bulk_update(…, batch_size=2000), in a migration with atomic = False that commits each "
        "batch.\n"
    ),
    "field that is not there": (
        "0 DANGER broken-state -: The operation does not fit the models before it: KeyError: "
        "'nothing'. => Mend the migration: see 'inv db.make' for what Django expects.\n"
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_they_say(name: str, tmp_path: Path) -> None:
    """Each risk names tables, columns and fields, and the safe way in the reader's own names."""
    case = next(case for case in CASES if case.name == name)
    assert "".join(f"{line(risk)}\n" for risk in of(case, tmp_path)) == TEXTS[name]
