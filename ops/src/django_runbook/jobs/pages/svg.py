"""What is drawn: the strip of a job's slots, and bars over its runs. Sizes are strings in pixels.

A template must not spell them in the manner of a language: an SVG knows no decimal comma.
"""

import datetime
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from django_runbook.jobs.pages.words import when
from django_runbook.jobs.report.formats import moment
from django_runbook.jobs.watch.snapshot import SHOWN
from django_runbook.jobs.watch.strips import SlotEnd, SlotState

STEP = 8
#: Each end has a shape of its own, in a field of 6 by 20 pixels: no colour is needed to tell them.
SHAPES = {
    "done": "M0 2h6v18h-6z",
    "late": "M0 9h6v11h-6zM3 1l3 5h-6z",
    "failed": "M0 3l6 16M6 3l-6 16",
    "missed": "M.5 2.5h5v17h-5z",
    "skipped": "M0 16h6v4h-6z",
    "paused": "M1 6v14M5 6v14",
    "running": "M0 3l6 8l-6 8z",
    "waiting": "M1 12a2 2 0 1 0 4 0a2 2 0 1 0 -4 0z",
}
#: What a reader should know of first.
WORST = ("failed", "missed", "late", "skipped", "paused", "running", "waiting", "done")
WIDE, HIGH = 600, 120


@dataclass(frozen=True)
class Mark:
    """One slot of a strip: its end, where it stands, its shape, and what it says."""

    end: str
    x: str
    path: str
    title: str


@dataclass(frozen=True)
class Strip:
    """The last slots of a job, oldest first, and the same in words."""

    marks: tuple[Mark, ...]
    width: str
    text: str


@dataclass(frozen=True)
class Point:
    """What is known of a run for a chart."""

    run: int
    started: datetime.datetime
    status: str
    value: float


@dataclass(frozen=True)
class Bar:
    """One run of a chart."""

    x: str
    y: str
    width: str
    height: str
    end: str
    title: str


@dataclass(frozen=True)
class Chart:
    """Bars, oldest first, their highest value, a line at ``usual`` if any, and all in words."""

    name: str
    bars: tuple[Bar, ...]
    top: str
    usual: str
    text: str
    first: SafeString
    last: SafeString


def strip(slots: Sequence[SlotState]) -> Strip:
    """Draw the slots of a job; the newest is always at the right, as wide as any other."""
    width = max(len(slots), SHOWN)
    marks = (
        Mark(slot.end.value, str(place * STEP), SHAPES[slot.end.value], _title(slot))
        for place, slot in enumerate(slots, width - len(slots))
    )
    return Strip(tuple(marks), str(width * STEP - 2), _in_words(slots))


def legend() -> tuple[Mark, ...]:
    """Return one mark of each kind, with its word."""
    return tuple(Mark(end, "0", path, str(SlotEnd(end).label)) for end, path in SHAPES.items())


def chart(
    name: str, points: Sequence[Point], spelt: Callable[[float], str], usual: float | None = None
) -> Chart | None:
    """Draw a value of some runs, oldest first; None where there are none."""
    if not points:
        return None
    highest = max(points, key=lambda point: point.value)
    top = max(highest.value, usual or 0) or 1
    step = WIDE / max(len(points), 12)
    bars = tuple(
        _bar(point, place * step, step, top, spelt(point.value))
        for place, point in enumerate(points)
    )
    text = f"{name} of the last {len(points)} run(s): at most {spelt(highest.value)}"
    text += f" (run {highest.run})"
    if usual is not None:
        text += f", usually {spelt(usual)}"
    line = "" if usual is None else f"{HIGH - usual / top * HIGH:.1f}"
    first, last = when(points[0].started), when(points[-1].started)
    return Chart(name, bars, spelt(top), line, f"{text}.", first, last)


def _bar(point: Point, x: float, step: float, top: float, value: str) -> Bar:
    height = max(point.value / top * HIGH, 1)
    return Bar(
        x=f"{x:.1f}",
        y=f"{HIGH - height:.1f}",
        width=f"{max(step - 2, 1):.1f}",
        height=f"{height:.1f}",
        end=point.status.lower(),
        title=f"Run {point.run}, {moment(point.started)}, {point.status}: {value}",
    )


def _title(slot: SlotState) -> str:
    by = f" by run {slot.run}" if slot.run else ""
    return f"{moment(slot.at)}: {slot.end.label}{by}"


def _in_words(slots: Sequence[SlotState]) -> str:
    """Return how many slots had each end, and when those were that somebody should know of."""
    if not slots:
        return "No slot yet."
    counts = Counter(slot.end.value for slot in slots)
    counted = ", ".join(f"{counts[end]} {SlotEnd(end).label}" for end in WORST if counts[end])
    bad = [_title(slot) for slot in slots if slot.end in (SlotEnd.FAILED, SlotEnd.MISSED)][-3:]
    return ". ".join([f"The last {len(slots)} slot(s): {counted}", *bad]) + "."
