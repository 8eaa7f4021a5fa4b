"""Two fingerprints compared: logical differences, names, the order of columns."""

import json
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from django_runbook.schema.fingerprints.differences import Difference, Differences, compare
from django_runbook.schema.fingerprints.fingerprint import (
    FREELY_NAMED,
    PARTS,
    Fingerprint,
    sorted_entries,
)

#: A column may be called as a table is, and a table may have a dot in its name.
TABLES = st.sampled_from(["a", "c", "c.d"])
NAMES = st.sampled_from(["a", "d", "c.d"])
QUICK = settings(max_examples=50, deadline=None)
TEXTS = st.sampled_from(["int", "text", "UNIQUE (x)", ""])
KINDS = ("column", "constraint", "index", "trigger")


def of(**entries: list[tuple[str, str]]) -> Fingerprint:
    """Return a fingerprint of PostgreSQL."""
    return Fingerprint(vendor="postgresql", entries=sorted_entries(entries))


@st.composite
def fingerprints(draw: st.DrawFn) -> Fingerprint:
    """Return a fingerprint of a few tables with parts, and of a few other things."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for table in draw(st.sets(TABLES, max_size=3)):
        found["table"].append((table, draw(TEXTS)))
        for kind in KINDS:
            parts = draw(st.dictionaries(NAMES, TEXTS, max_size=2))
            found[kind] += [(f"{table}.{name}", text) for name, text in parts.items()]
        names = [name.removeprefix(f"{table}.") for name, _text in found["column"]]
        found["order"].append((table, json.dumps(draw(st.permutations(names)))))
        for name in draw(st.sets(NAMES, max_size=1)):
            found["sequence"].append((f"{table}_{name}", f"int owned by {table}.{name}"))
    found["view"] = [*draw(st.dictionaries(NAMES, TEXTS, max_size=2)).items()]
    return of(**found)


def mirrored(differences: Differences) -> list[frozenset[Difference]]:
    """Return the differences with left and right exchanged, in no order."""
    return [
        frozenset(replace(each, left=each.right, right=each.left) for each in kind)
        for kind in (differences.logical, differences.names, differences.order)
    ]


@QUICK
@given(fingerprints())
def test_a_fingerprint_is_like_itself(found: Fingerprint) -> None:
    """Nothing differs, and the digest is the same, however it was put together."""
    again = of(**{kind: [*reversed(pairs)] for kind, pairs in found.entries.items()})
    assert compare(found, again) == Differences()
    assert found.digest == again.digest


@QUICK
@given(fingerprints(), fingerprints())
def test_differences_are_the_same_from_both_sides(left: Fingerprint, right: Fingerprint) -> None:
    """What is left here is right there."""
    there = compare(right, left)
    assert mirrored(compare(left, right)) == [
        frozenset(kind) for kind in (there.logical, there.names, there.order)
    ]


@QUICK
@given(fingerprints(), fingerprints())
def test_digests_differ_where_anything_does(left: Fingerprint, right: Fingerprint) -> None:
    """No difference is without another digest, and no other digest without a difference."""
    assert (left.digest == right.digest) == (compare(left, right).count == 0)


@QUICK
@given(fingerprints(), st.sampled_from(FREELY_NAMED))
def test_another_name_is_a_difference_of_names(found: Fingerprint, kind: str) -> None:
    """Whatever constraints, indexes or sequences are renamed, nothing else is seen."""
    pairs = found.entries.get(kind, ())
    new = of(
        **{
            **{other: [*entries] for other, entries in found.entries.items()},
            kind: [(f"{name}_new", text) for name, text in pairs],
        }
    )
    differences = compare(found, new)
    assert (differences.logical, differences.order) == ((), ())
    assert len(differences.names) == len(pairs)
    assert all(str(each.left) + "_new" in str(new.entries) for each in differences.names)


@pytest.mark.slow
@QUICK
@given(fingerprints(), st.data())
def test_another_order_is_a_difference_of_order(found: Fingerprint, data: st.DataObject) -> None:
    """Whatever columns change places, nothing else is seen."""
    order = dict(found.entries.get("order", ()))
    assume(any(len(json.loads(names)) > 1 for names in order.values()))
    other = {
        table: json.dumps(data.draw(st.permutations(json.loads(names))))
        for table, names in order.items()
    }
    rest = {kind: [*pairs] for kind, pairs in found.entries.items()}
    differences = compare(found, of(**{**rest, "order": [*other.items()]}))
    assert (differences.logical, differences.names) == ((), ())
    assert {each.table for each in differences.order} == {
        table for table in order if order[table] != other[table]
    }


@QUICK
@given(fingerprints(), st.data())
def test_whatever_is_taken_away_is_a_logical_difference(
    found: Fingerprint, data: st.DataObject
) -> None:
    """It is named with its table, its name and its definition; a table goes with its parts."""
    kinds = [kind for kind in found.entries if kind not in {"order", "table", "sequence"}]
    assume(kinds)
    kind = data.draw(st.sampled_from(kinds))
    taken = data.draw(st.sampled_from(found.entries[kind]))
    entries = {other: [*pairs] for other, pairs in found.entries.items()}
    entries[kind].remove(taken)
    differences = compare(found, of(**entries))
    (one,) = differences.logical
    table = f"{one.table}." if kind in PARTS else ""
    assert (one.kind, f"{table}{one.name}", one.right) == (kind, taken[0], None)
    assert kind not in PARTS or one.table in dict(found.entries["table"])
    assert one.left == taken[1]
    assert (differences.names, differences.order) == ((), ())


def test_a_table_that_is_missing_hides_its_parts() -> None:
    """Its columns, indexes and sequences go without saying."""
    left = of(
        table=[("a", "table"), ("a.b", "table")],
        column=[("a.b", "int"), ("a.b.c", "int")],
        index=[("a.b.i", "USING btree (c)")],
        order=[("a", '["b"]'), ("a.b", '["c"]')],
        sequence=[("s", "int owned by a.b.c")],
    )
    right = of(table=[("a", "table")], column=[("a.b", "int")], order=[("a", '["b"]')])
    assert compare(left, right) == Differences(
        logical=(Difference(kind="table", table="a.b", name="a.b", left="table", right=None),)
    )


def test_names_that_change_places_are_names_alone() -> None:
    """What has a definition is found by it, not by a name that another has now."""
    left = of(table=[("t", "")], index=[("t.a", "one"), ("t.b", "two"), ("t.c", "three")])
    right = of(table=[("t", "")], index=[("t.a", "two"), ("t.b", "one"), ("t.c", "four")])
    differences = compare(left, right)
    assert [(each.left, each.right) for each in differences.names] == [("a", "b"), ("b", "a")]
    assert [(each.name, each.left, each.right) for each in differences.logical] == [
        ("c", "three", "four")
    ]


def test_engines_are_not_compared() -> None:
    """Their types have other names."""
    other = Fingerprint(vendor="sqlite", entries={})
    with pytest.raises(ValueError, match=r"^postgresql and sqlite cannot be compared\.$"):
        compare(of(), other)
