"""Several runs at once share the work through the database, beside accounts that pay."""

import json
import re

import pytest

from tests.ops.jobs.victims import start

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]

RUNNERS = 8


@pytest.mark.parametrize(("rows", "size"), [(2_000, 20), (50_000, 500)])
def test_runners_at_once_change_each_row_once(commands, database_url, engine, rows, size):
    """Eight at once: each row changes once, each count is its own, who pays stays ACTIVE."""
    done = start(commands, database_url, "together", str(RUNNERS), str(rows), str(size))
    assert (done.code, done.err) == (0, "")
    facts = json.loads(done.out)
    told, payments = facts.pop("told"), facts.pop("payments")
    changed = {str(run["run"]): run["expired"] for run in told}
    assert [(run["status"], run["left"], run["warnings"]) for run in told] == (
        [("SUCCEEDED", 0, [])] * RUNNERS
    )
    if engine == "postgresql":  # SQLite's lock is not fair
        assert sum(count > 0 for count in changed.values()) > 1
    assert payments > 0
    assert facts == {
        "codes": [0] * (RUNNERS + 2),
        "counts": changed,
        "complaints": [],
        "statuses": {"ACTIVE": 2 + payments, "TRIALING": 2, "TRIAL_EXPIRED": rows - payments},
        "changes": rows,
    }
    assert sum(changed.values()) == rows - payments


def test_runs_that_skip_do_not_overlap(commands, database_url):
    """Of eight at once that must be alone, each is alone or left out, and the work is done once."""
    done = start(commands, database_url, "together", str(RUNNERS), "5000", "50", "skip")
    assert (done.code, done.err) == (0, "")
    facts = json.loads(done.out)
    told, payments = facts["told"], facts["payments"]
    ran = [run for run in told if "error" not in run]
    left_out = [run for run in told if "error" in run]
    assert len(left_out) > 1
    for run in left_out:
        assert run["code"] == 0
        assert re.fullmatch(
            r'expire_trials: run \d+ \(.+\) is under way, and overlap is "skip"; nothing was '
            r"changed\.",
            run["error"],
        )
    assert sum(run["expired"] for run in ran) == 5000 - payments
    assert [run["expired"] for run in ran].count(0) == len(ran) - 1  # the first had it all
    assert (facts["complaints"], facts["changes"]) == ([], 5000)


def test_runs_that_wait_come_one_after_the_other(commands, database_url):
    """Of eight at once that must be alone, each waits for its turn, and the work is done once."""
    done = start(commands, database_url, "together", str(RUNNERS), "2000", "50", "wait")
    assert (done.code, [line for line in done.err.splitlines() if ": waits for" not in line]) == (
        0,
        [],
    )
    facts = json.loads(done.out)
    expired = [run["expired"] for run in facts["told"]]
    assert sum(expired) == 2000 - facts["payments"]
    assert expired.count(0) == len(expired) - 1  # the first had it all
    assert (facts["complaints"], facts["changes"]) == ([], 2000)
