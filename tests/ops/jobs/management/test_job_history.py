"""`job_history` prints a line for each run, and cuts nothing."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.models import Run
from django_runbook.jobs.report import tables
from tests.ops.jobs.management.printed import CI, DAY, HOUR, SLOT, run
from tests.ops.jobs.past_runs import paused


class Terminal(StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


WIDE = """\
run  job            status     started (UTC)           took        due    changed  batches  slot, who, note
  4  tidy           LOST       2026-03-02 05:17   1 min 1 s          -          0        0  me@laptop
  3  expire_trials  FAILED     2026-03-02 04:17       0.0 s          3          0        0  slot 2026-03-02T04:17Z; https://ci.example/acme/shop/actions/runs/123456789/attempts/1; disk full
  2  expire_trials  SUCCEEDED  2026-03-02 03:17  4 min 10 s  1,000,000    999,998        2  me@laptop; undo of run 1
  1  expire_trials  SUCCEEDED  2026-03-01 04:17       1.2 s  1,000,000  1,000,000        2  slot 2026-03-01T04:17Z; me@laptop; undone by run 2; allowed 1,000,000: the price list was late
"""  # noqa: E501  # as it is printed
NARROW = """\
run  job            status     started (UTC)           took        due    changed  batches
  4  tidy           LOST       2026-03-02 05:17   1 min 1 s          -          0        0
     me@laptop
  3  expire_trials  FAILED     2026-03-02 04:17       0.0 s          3          0        0
     slot 2026-03-02T04:17Z; https://ci.example/acme/shop/actions/runs/123456789/attempts/1; disk full
  2  expire_trials  SUCCEEDED  2026-03-02 03:17  4 min 10 s  1,000,000    999,998        2
     me@laptop; undo of run 1
  1  expire_trials  SUCCEEDED  2026-03-01 04:17       1.2 s  1,000,000  1,000,000        2
     slot 2026-03-01T04:17Z; me@laptop; undone by run 2; allowed 1,000,000: the price list was late
"""  # noqa: E501  # as it is printed


def test_history_is_a_line_a_run(ledger):
    """Newest first, nothing cut; a run whose heart has stopped is lost."""
    assert run("job_history") == WIDE


def test_history_takes_a_second_line_on_a_narrow_terminal(ledger, monkeypatch):
    """Where it is wide enough, and where there is none, one line does."""
    for columns, expected in (("100", NARROW), ("300", WIDE)):
        monkeypatch.setenv("COLUMNS", columns)
        terminal = Terminal()
        call_command("job_history", stdout=terminal)
        assert terminal.getvalue() == expected
    monkeypatch.setenv("COLUMNS", "100")
    assert run("job_history") == WIDE


def test_history_tells_what_was_cut_short(ledger, numbered):
    """An undo that did not come to its end has undone a part; what goes on says with what."""
    Run.objects.filter(pk=2).update(status="STOPPED", reason="SIGTERM")
    numbered(5, SLOT + 2 * HOUR, status="STOPPED", continues_id=2, undoes_id=1)
    tails = [line[92:] for line in run("job_history").splitlines()]
    assert (tails[1], tails[4], tails[5].split("; ")[2]) == (
        "me@laptop; undo of run 1; continues run 2",
        "me@laptop; undo of run 1; SIGTERM",
        "partly undone by run 2",
    )


def test_history_can_be_of_one_job_and_shorter(ledger):
    """--job and --count."""
    assert [line[:9] for line in run("job_history", "--job=tidy").splitlines()] == [
        "run  job ",
        "  4  tidy",
    ]
    assert len(run("job_history", "--count=2").splitlines()) == 3
    assert run("job_history", "--job=nobody") == "The ledger has no run of nobody.\n"


def test_history_as_json_is_one_list(ledger):
    """With times in ISO 8601, and nothing else on the way."""
    runs = json.loads(run("job_history", "--json"))
    assert [one["run"] for one in runs] == [4, 3, 2, 1]
    assert runs[1] == {
        "run": 3,
        "job": "expire_trials",
        "slot": "2026-03-02T04:17:00+00:00",
        "status": "FAILED",
        "started": "2026-03-02T04:17:00+00:00",
        "finished": "2026-03-02T04:17:00.040000+00:00",
        "seconds": 0.04,
        "due": 3,
        "changed": 0,
        "batches": 0,
        "who": CI,
        "reason": "disk\nfull",
        "allow": None,
        "allow_reason": "",
        "stop_reason": "",
        "continues": None,
        "undoes": None,
        "undone_by": [],
        "undone": False,
    }
    assert json.loads(run("job_history", "--json", "--job=nobody")) == []


class Reader(StringIO):
    """Notes of each run how many queries had been made before it was printed."""

    def __init__(self, queries):
        super().__init__()
        self.queries, self.seen = queries, []

    def write(self, text):
        self.seen += [len(self.queries)] * text.count("laptop")
        return super().write(text)


@pytest.mark.parametrize("asked", [(), ("--json",)])
def test_long_history_is_printed_while_it_is_read(empty, numbered, monkeypatch, asked):
    """Two queries for each page, and none is read before the one before it is printed."""
    monkeypatch.setattr(queries, "PAGE", 3)
    monkeypatch.setattr(tables, "TOGETHER", 3)
    for number in range(1, 12):
        numbered(number, SLOT + number * HOUR, due=10**number)
    with CaptureQueriesContext(connection) as made:
        reader = Reader(made)
        call_command("job_history", "--count=10", *asked, stdout=reader)
    start = reader.seen[0]
    assert sorted({seen - start for seen in reader.seen}) == [0, 2, 4, 6]
    whole = StringIO()
    monkeypatch.undo()
    call_command("job_history", "--count=10", *asked, stdout=whole)
    words = [" ".join(text.split()) for text in (reader.getvalue(), whole.getvalue())]
    assert words[0] == words[1]
    if not asked:
        ends = [line.index("@laptop") for line in reader.getvalue().splitlines()[1:]]
        assert ends == sorted(ends) or len(set(ends)) < 4


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "x", ""])
def test_count_is_a_whole_number(count):
    """Anything else is wrong usage."""
    with pytest.raises(CommandError, match=f"'{count}' is not a whole number of at least 1"):
        call_command("job_history", f"--count={count}")


def test_empty_ledger_says_so(empty):
    """In words, and as an empty list."""
    assert run("job_history") == "The ledger has no run.\n"
    assert run("job_history", "--json") == "[]\n"


def test_history_tells_the_pauses_of_that_time(ledger):
    """Behind the runs, oldest first, of the job that is asked for; older ones where all fits."""
    paused(SLOT - 30 * DAY, SLOT - 29 * DAY)
    paused(SLOT - HOUR, SLOT + DAY, reason="new\nprices")
    paused(SLOT, job="tidy", resumed=SLOT + HOUR, resumed_by="you@desk")
    assert run("job_history").splitlines()[5] == (
        "expire_trials paused since 2026-01-31T04:17Z until 2026-02-01T04:17Z by me@laptop: prices"
    )
    assert run("job_history", "--count=4").splitlines()[5:] == [
        (
            "expire_trials paused since 2026-03-02T03:17Z until 2026-03-03T04:17Z by me@laptop: "
            "new prices"
        ),
        (
            "tidy paused since 2026-03-02T04:17Z by me@laptop: prices; resumed 2026-03-02T05:17Z "
            "by you@desk"
        ),
    ]
    assert len(run("job_history", "--job=expire_trials", "--count=3").splitlines()) == 5
    paused(SLOT, job="new")
    assert run("job_history", "--job=new") == (
        "The ledger has no run of new.\nnew paused since 2026-03-02T04:17Z by me@laptop: prices\n"
    )
