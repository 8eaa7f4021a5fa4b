"""`show_run` prints everything of one run, and the command that goes on."""

import datetime
import json

import pytest

from tests.ops.jobs.management.printed import EXPIRY, HOUR, SLOT, run


def test_show_prints_everything(ledger):
    """One line a fact; times to the second."""
    assert run("show_run", "1") == (
        "run         1 of expire_trials\n"
        "status      SUCCEEDED\n"
        "slot        2026-03-01T04:17Z\n"
        "started     2026-03-01T04:17:00Z\n"
        "finished    2026-03-01T04:17:01Z\n"
        "took        1.2 s\n"
        "who         me@laptop, process 7\n"
        "token       00000000-0000-4000-8000-000000000001\n"
        "parameters  as_of=2026-03-01T04:17:00+00:00, cutoff=2025-12-30T04:17:00+00:00\n"
        "change      accounts.account: status TRIALING -> TRIAL_EXPIRED\n"
        "due         1,000,000\n"
        "changed     1,000,000\n"
        "batches     2 of 1 to 3 rows, from 2026-03-02T04:17:01Z to 2026-03-02T04:17:02Z\n"
        "allowed     1,000,000: the price list was late\n"
        "undone by   run 2\n"
    )
    assert run("show_run", "4") == (
        "run         4 of tidy\n"
        "status      LOST\n"
        "started     2026-03-02T05:17:00Z\n"
        "heartbeat   2026-03-02T05:18:01Z\n"
        "took        1 min 1 s\n"
        "who         me@laptop, process 7\n"
        "token       00000000-0000-4000-8000-000000000004\n"
        "changed     0\n"
        "batches     0\n"
        "next        inv jobs.run tidy\n"
        "output, its end:\n"
        "  one\n"
        "  two\n"
    )


def test_show_prints_the_keys_of_the_rows(ledger):
    """One a line in the order of the batches; with --json as one list."""
    assert run("show_run", "1", "--ids") == "5\n7\n9\n4\n"
    assert json.loads(run("show_run", "1", "--ids", "--json")) == [5, 7, 9, 4]
    assert run("show_run", "3", "--ids") == ""


def test_show_as_json_is_one_object(ledger):
    """The run as in the history, and the rest."""
    shown = json.loads(run("show_run", "1", "--json"))
    listed = json.loads(run("job_history", "--json"))[-1]
    assert {name: shown.pop(name) for name in listed} == listed
    assert shown == {
        "heartbeat": "2026-03-01T04:17:01.250000+00:00",
        "exclusive": False,
        "token": "00000000-0000-4000-8000-000000000001",
        "user": "me",
        "host": "laptop",
        "pid": 7,
        "ci_url": "",
        "parameters": {
            "as_of": "2026-03-01T04:17:00+00:00",
            "cutoff": "2025-12-30T04:17:00+00:00",
        },
        "arguments": [],
        "cutoff": "2025-12-30T04:17:00+00:00",
        "change": EXPIRY,
        "sizes": {
            "smallest": 1,
            "largest": 3,
            "first": "2026-03-02T04:17:01+00:00",
            "last": "2026-03-02T04:17:02+00:00",
        },
        "output": "",
        "failed": 0,
        "stop_asked": None,
        "settled_by": None,
        "next": "",
    }


#: A heart that beats, whatever the database's clock says.
FUTURE = datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("values", "step"),
    [
        ({"status": "FAILED"}, "inv jobs.run expire_trials"),
        ({"status": "STOPPED"}, "inv jobs.run expire_trials"),
        ({"status": "LOST"}, "inv jobs.run expire_trials"),
        ({"status": "REFUSED"}, "inv jobs.run expire_trials"),  # it ran alone, say
        (
            {"status": "REFUSED", "due": 800},
            'inv jobs.run expire_trials -- --allow 800 --reason "..."',
        ),
        (
            {
                "status": "REFUSED",
                "due": 800,
                "slot": SLOT,
                "arguments": ["-v", "2", "--allow", "5", "--reason=a b"],
            },
            (
                "inv jobs.run expire_trials --slot=2026-03-02T04:17Z -- -v 2 --allow 800 "
                '--reason "..."'
            ),
        ),
        ({"status": "FAILED", "slot": SLOT + HOUR}, "inv jobs.run expire_trials"),  # no slot now
        (
            {"status": "LOST", "slot": SLOT, "arguments": ["--currency", "U S"]},
            "inv jobs.run expire_trials --slot=2026-03-02T04:17Z -- --currency 'U S'",
        ),
        ({"status": "STOPPED", "undoes_id": 1}, "inv jobs.undo 1"),
        ({"status": "SKIPPED"}, None),
        ({"status": "SUCCEEDED"}, None),
        ({"status": "RUNNING", "heartbeat": FUTURE}, None),
    ],
    ids=str,
)
def test_show_names_the_next_step(ledger, numbered, values, step):
    """The command that goes on, until a later run has done so."""
    numbered(8, SLOT + HOUR, **values)
    found = [line for line in run("show_run", "8").splitlines() if line.startswith("next")]
    assert found == ([f"next        {step}"] if step else [])
    numbered(9, SLOT + HOUR, undoes_id=values.get("undoes_id"))
    found = [line for line in run("show_run", "8").splitlines() if line.startswith("next")]
    assert found == (["next        nothing: run 9 has succeeded since"] if step else [])
