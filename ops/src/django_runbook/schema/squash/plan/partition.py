"""Divides a range into the fewest parts, of which each may be one."""

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Part = tuple[int, int]
Test = Callable[[int, int], bool]


@dataclass(frozen=True, kw_only=True)
class Barrier:
    """No part that begins in ``low`` to ``high`` may reach ``end``; numbers in it, and why."""

    low: int
    high: int
    end: int
    reason: str
    fix: str = ""

    def forbids(self, first: int, last: int) -> bool:
        """Tell whether a part from ``first`` to ``last`` is forbidden."""
        return self.low <= first <= self.high and self.end <= last


def allowed(barriers: Iterable[Barrier]) -> Test:
    """Return the test that no barrier forbids a part; one alone is always allowed."""
    found = tuple(barriers)

    @functools.cache
    def limit(first: int) -> float:
        """Return the first number that a part from ``first`` may not reach."""
        ends = (one.end for one in found if one.low <= first <= one.high)
        return min(ends, default=math.inf)

    return lambda first, last: first == last or last < limit(first)


def fewest(count: int, may: Test, does: Test = lambda _first, _last: True) -> tuple[Part, ...]:
    """Return the fewest parts of ``count`` things in a row, each as its first and last number.

    A part of one is always possible; another is where ``may`` and ``does`` say so, which need not
    agree on its parts. ``does`` may be slow: only what would be chosen is tested. Of several
    divisions with as few parts the one with the longest first ones is returned.

    A relaxed problem is solved, in which all that was not tested is possible. Its solution has at
    most as many parts as the true one; once each of its parts has passed, it is the true one.
    """
    possible = [
        [may(first, last) if first != last else True for last in range(count)]
        for first in range(count)
    ]
    tested: set[Part] = set()
    while True:
        parts = _relaxed(count, possible)
        unknown = [part for part in parts if part[0] != part[1] and part not in tested]
        for first, last in unknown:
            tested.add((first, last))
            possible[first][last] = does(first, last)
        if all(possible[first][last] for first, last in unknown):
            return parts


def _relaxed(count: int, possible: list[list[bool]]) -> tuple[Part, ...]:
    needed = [0] * (count + 1)
    ends = [0] * count
    for first in reversed(range(count)):
        last = min(
            (last for last in reversed(range(first, count)) if possible[first][last]),
            key=lambda last: needed[last + 1],
        )
        ends[first], needed[first] = last, 1 + needed[last + 1]
    parts = []
    first = 0
    while first < count:
        parts.append((first, ends[first]))
        first = ends[first] + 1
    return tuple(parts)
