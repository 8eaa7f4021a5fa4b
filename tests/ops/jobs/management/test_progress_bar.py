"""How far a run has come, on a terminal."""

import sys
from types import SimpleNamespace

import pytest

from django_runbook.jobs.batches import loop
from django_runbook.jobs.management import progress


@pytest.fixture
def terminal(monkeypatch, capsys):
    """Let standard error be a terminal."""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _self: True)


def batch(number: int, total: int) -> loop.Progress:
    """Return what is told after a batch."""
    return loop.Progress(batch=number, size=500, changed=500, total=total, due=2000, seconds=0.1)


def test_without_rich_it_is_a_line_that_is_written_over(terminal, monkeypatch, capsys):
    """The share, the rows, and the rows a second; the last one stays."""
    monkeypatch.setattr(progress, "find_spec", lambda _name: None)
    clock = iter([0.0, 1.0, 4.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock.__next__))
    with progress.Progress(None, {}) as shown:
        shown.took(batch(1, 500))
        shown.took(batch(2, 1000))
    lines = [line.rstrip() for line in capsys.readouterr().err.split("\r")]
    assert lines == [
        "",
        " 25% 500 of 2,000 500 rows/s",
        " 50% 1,000 of 2,000 250 rows/s",
    ]


def test_nothing_is_drawn_where_no_batch_ran(terminal, capsys):
    """A run that finds nothing leaves the terminal as it was."""
    with progress.Progress(None, {}):
        pass
    assert capsys.readouterr().err == ""
