"""How far a run has come: a bar on a terminal, or a line for each batch at ``-v 2``."""

import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Self

from django.core.management.base import OutputWrapper

from django_runbook.jobs.batches import loop

EACH_BATCH = 2  # verbosity


class Progress:
    """Shows each batch that it is told of; nothing with ``--json``, and nothing where none ran.

    The bar goes to standard error, so that standard output can be read by a program.
    """

    def __init__(self, out: OutputWrapper, options: Mapping[str, Any]) -> None:
        self._out = out
        quiet = self._quiet = bool(options.get("json")) or options.get("verbosity", 1) == 0
        self._lines = not quiet and options.get("verbosity", 1) >= EACH_BATCH
        self._drawn = not quiet and not self._lines and sys.stderr.isatty()
        self._start = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def took(self, batch: loop.Progress) -> None:
        """Show one batch; on standard error, what the next one waits for."""
        if batch.waits:
            if not self._quiet:
                self._say(f"Waiting: {batch.waits}")
        elif self._lines:
            self._out.write(line(batch))
        elif self._drawn:
            self._draw(batch)

    def _say(self, line: str) -> None:
        """Write a line that stays, above a bar that is drawn."""
        console = getattr(self._bar, "console", None)
        if console is not None:
            console.print(line, highlight=False, markup=False)
        else:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    def _draw(self, batch: loop.Progress) -> None:
        if self._bar is None:
            self._bar = bar()
            self._task = self._bar.add_task("", total=batch.due, rate=0)
            self._bar.start()
        rate = batch.total / max(time.monotonic() - self._start, 0.001)
        self._bar.update(self._task, completed=batch.total, rate=rate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


class PlainBar:
    """What a terminal without rich shows: one line, written over. Has what is used of rich's."""

    def __init__(self) -> None:
        self._total = 0

    def add_task(self, _description: str, *, total: int, **_fields: float) -> None:
        """Take the number of rows."""
        self._total = total

    def start(self) -> None:
        """Begin."""

    def update(self, _task: None, *, completed: int, rate: float) -> None:
        """Write how far it is."""
        share = completed / max(self._total, 1)
        text = f"{share:4.0%} {completed:,} of {self._total:,} {rate:,.0f} rows/s"
        sys.stderr.write(f"\r{text:<60}")
        sys.stderr.flush()

    def stop(self) -> None:
        """Leave the line as it is."""
        sys.stderr.write("\n")


def line(batch: loop.Progress) -> str:
    """Return one line for a batch."""
    return (
        f"batch {batch.batch}: {batch.changed:,} row(s) in {batch.seconds * 1000:.0f} ms, "
        f"{batch.total:,} of {batch.due:,}"
    )


def bar() -> Any:
    """Return a bar with rows, rows a second and an estimate of what is left.

    Without rich it is a line of text that is written again and again.
    """
    if not find_spec("rich"):
        return PlainBar()
    from rich import progress  # here, because most runs draw nothing
    from rich.console import Console

    return progress.Progress(
        progress.BarColumn(bar_width=None),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        progress.TextColumn("{task.fields[rate]:,.0f} rows/s"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    )
