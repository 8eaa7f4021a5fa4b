"""The fewest parts of a range, against every division there is."""

import itertools
import random
from collections.abc import Iterator

import pytest
from django.db.migrations import Migration
from django.db.migrations.graph import MigrationGraph
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.schema.squash.plan.barriers import cycles
from django_runbook.schema.squash.plan.partition import Barrier, Part, allowed, fewest

MOST = 6


def divisions(count: int) -> Iterator[list[Part]]:
    """Yield every division of a range."""
    for size in range(count):
        for ends in itertools.combinations(range(1, count), size):
            edges = [0, *ends, count]
            yield [(one, other - 1) for one, other in itertools.pairwise(edges)]


def best(count: int, possible: set[Part]) -> int:
    """Return the least number of parts, by trying all divisions."""
    return min(
        len(parts)
        for parts in divisions(count)
        if all(one == other or (one, other) in possible for one, other in parts)
    )


PARTS = st.integers(1, MOST).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.sets(st.sampled_from([*itertools.combinations_with_replacement(range(count), 2)])),
        st.sets(st.sampled_from([*itertools.combinations_with_replacement(range(count), 2)])),
    )
)


@given(PARTS)
def test_the_fewest_parts(given: tuple[int, set[Part], set[Part]]) -> None:
    """The parts are a division, each possible, and there are no fewer; whatever is possible."""
    count, may, does = given
    asked: list[Part] = []

    def test(first: int, last: int) -> bool:
        asked.append((first, last))
        return (first, last) in does

    parts = fewest(count, lambda first, last: (first, last) in may, test)
    assert list(parts) in [*divisions(count)]
    assert all(one == other or (one, other) in may & does for one, other in parts)
    assert len(parts) == best(count, may & does)
    assert len(asked) == len({*asked})
    assert {*asked} <= may


BARRIERS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 7)).map(
        lambda three: Barrier(
            low=min(three[:2]), high=max(three[:2]), end=max(three) + (three[2] % 2), reason="x"
        )
    ),
    max_size=5,
)


@given(st.integers(1, MOST), BARRIERS)
def test_barriers(count: int, barriers: list[Barrier]) -> None:
    """No part crosses a barrier, and one alone crosses none."""
    test = allowed(barriers)
    possible = {
        part
        for part in itertools.combinations_with_replacement(range(count), 2)
        if not any(one.low <= part[0] <= one.high and one.end <= part[1] for one in barriers)
    }
    parts = fewest(count, test)
    assert all(one == other or (one, other) in possible for one, other in parts)
    assert len(parts) == best(count, possible)


def graph_of(count: int, others: int, seed: int) -> MigrationGraph:
    """Return a random graph: a row of one app, with the other apps' migrations between."""
    picks = random.Random(seed)
    row = [("shop", f"{number:04}") for number in range(count)]
    rest = [(picks.choice(["one", "two"]), f"{number:04}") for number in range(others)]
    order = [*row]
    for key in rest:
        order.insert(picks.randrange(len(order) + 1), key)
    graph = MigrationGraph()
    for key in order:
        graph.add_node(key, Migration(key[1], key[0]))
    for first, second in itertools.pairwise(row):
        graph.add_dependency(None, second, first)
    for child in range(1, len(order)):
        for parent in range(child):
            if picks.random() < 0.25 and "shop" not in {order[child][0]} & {order[parent][0]}:
                graph.add_dependency(None, order[child], order[parent])
    return graph


def is_acyclic(graph: MigrationGraph, parts: list[Part]) -> bool:
    """Tell whether the graph has no cycle once each part of the row is one node."""
    place = {number: part for part in parts for number in range(part[0], part[1] + 1)}

    def node(key: tuple[str, str]) -> object:
        return place[int(key[1])] if key[0] == "shop" else key

    edges: dict[object, set[object]] = {}
    for key, found in graph.node_map.items():
        edges.setdefault(node(key), set()).update(
            node(parent.key) for parent in found.parents if node(parent.key) != node(key)
        )
    while free := [key for key, parents in edges.items() if not parents]:
        for key in free:
            del edges[key]
        for parents in edges.values():
            parents.difference_update(free)
    return not edges


class Loader:
    """A loader with a graph alone."""

    def __init__(self, graph: MigrationGraph) -> None:
        self.graph = graph


@given(st.integers(2, 6), st.integers(0, 6), st.integers(0, 10**6))
def test_no_fewer_files_keep_the_graph_without_cycles(count: int, others: int, seed: int) -> None:
    """Of random graphs: the files make no cycle, and no division with fewer is without one."""
    graph = graph_of(count, others, seed)
    row = [graph.nodes["shop", f"{number:04}"] for number in range(count)]
    parts = fewest(count, allowed(cycles(Loader(graph), row)))
    assert is_acyclic(graph, list(parts))
    assert len(parts) == min(len(one) for one in divisions(count) if is_acyclic(graph, one))


def test_a_long_row_is_quick() -> None:
    """Two hundred migrations of which each seventh begins a file are divided without trying all."""
    asked = []

    def test(first: int, last: int) -> bool:
        asked.append(last)
        return True

    walls = [Barrier(low=0, high=end - 1, end=end, reason="x") for end in range(7, 200, 7)]
    assert len(fewest(200, allowed(walls), test)) == len(walls) + 1
    assert len(asked) == len(walls) + 1


@pytest.mark.parametrize("count", [1, 2])
def test_ends(count: int) -> None:
    """One is one part; of two the longest part is chosen."""
    assert fewest(count, lambda _first, _last: True) == ((0, count - 1),)
