"""`run_job`: what counts as a run, the slots that it does, and what it says of them."""

import json
import re
import signal
import time
from contextlib import contextmanager

import pytest

from tests.ops.jobs.shops import DAILY, Shop, shop_fixture

__all__ = ["shop_fixture"]
pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]

DAYS = [f"2026-03-0{day}T04:00" for day in (1, 2, 3, 4)]


def outcomes(shop: Shop) -> list[tuple[str, str]]:
    """Return the slot and the status of each run."""
    return [((run["slot"] or "")[:16], run["status"]) for run in shop.runs()]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--help",), "usage: manage.py send_bills"),
        (("-h",), "usage: manage.py send_bills"),
        (("--currency", "USD", "--he"), "usage: manage.py send_bills"),
        (("--version",), "5."),
        (("--dry-run",), ""),
        (("--dry",), ""),
    ],
    ids=" ".join,
)
@pytest.mark.engines("sqlite")
def test_what_does_nothing_takes_no_slot_and_leaves_no_run(shop, words, says):
    """Whatever the command's own parser takes for help, version or a dry run."""
    done = shop.manage("run_job", "send_bills", "--slot=latest", "--", *words)
    assert (done.code, done.out.startswith(says), shop.runs()) == (0, True, [])
    assert shop.calls() == ([["", *words]] if "dry" in words[0] else [])


@pytest.mark.engines("sqlite")
def test_value_that_looks_like_a_dry_run_is_a_run(shop):
    """No string is searched: it is the currency that is called so."""
    words = ["--currency=--dry-run"]
    done = shop.manage("run_job", "send_bills", "--slot=latest", "--", *words)
    assert (done.code, [run["status"] for run in shop.runs()]) == (0, ["SUCCEEDED"])


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    "argv",
    [
        ("expire_trials", "--dry"),
        ("expire_trials", "--dry-ru"),
        ("run_job", "send_bills", "--max=5"),
        ("undo_run", "1", "--conf=x"),
        ("job_history", "--js"),
    ],
    ids=" ".join,
)
def test_commands_of_the_jobs_take_no_abbreviation(shop, argv):
    """A word that is no option is wrong usage, not half of a dry run."""
    done = shop.manage(*argv)
    assert (done.code, done.out) == (2, "")
    assert "unrecognized arguments" in done.err or "the following arguments" in done.err
    assert shop.runs() == []


def test_wrong_words_are_a_failure_of_the_run(shop):
    """A schedule that has them fails each night, and must be seen to."""
    done = shop.manage("run_job", "send_bills", "--slot=latest", "--", "--curency=USD")
    assert done.code == 2
    assert [run["status"] for run in shop.runs()] == ["FAILED"]


def test_run_knows_its_slot_and_the_ledger_its_words(shop):
    """RUNBOOK_SLOT is in UTC, and empty without a slot; `jobs.show` repeats the words."""
    slot = "2026-03-01T05:00+01:00"
    words = ["--currency", "U S", "--token=s3cr3t-word"]
    failed = shop.manage(
        "run_job", "send_bills", f"--slot={slot}", "--", *words, FAILS="2026", RUNBOOK_SLOT="old"
    )
    assert failed.code == 7
    shown = json.loads(shop.manage("show_run", "1", "--json").out)
    assert shown["arguments"] == ["--currency", "U S", "--token=***"]
    again = "inv jobs.run send_bills --slot=2026-03-01T04:00Z -- --currency 'U S' '--token=***'"
    assert f"next        {again}" in shop.manage("show_run", "1").out.splitlines()
    assert shop.manage("run_job", "send_bills", RUNBOOK_SLOT="old").code == 0
    assert shop.calls() == [["2026-03-01T04:00:00+00:00", *words], [""]]


def test_missed_slots_are_done_in_their_order(shop):
    """The done are left out; the first that fails ends it, with the command that goes on."""
    assert shop.manage("run_job", "send_bills", f"--slot={DAYS[1]}Z").code == 0
    argv = ("run_job", "send_bills", "--slots=2026-03-01..2026-03-04", "--max-seconds=60")
    failed = shop.manage(*argv, "--", "--currency", "U S", FAILS=DAYS[2])
    lines = failed.err.splitlines()
    assert (failed.code, failed.out) == (7, "")
    for line, expected in zip(
        lines,
        (
            r"2026-03-01T04:00Z: Run \d of send_bills: succeeded after [\d.]+ s",
            r"send_bills 2026-03-02T04:00Z: already done by run 1 \(.+, 0 changed\)\.",
            r"2026-03-03T04:00Z: Run \d of send_bills: failed after [\d.]+ s: exit code 7",
        ),
        strict=False,
    ):
        assert re.fullmatch(expected, line)
    assert lines[3:] == [
        (
            "send_bills: 1 slot(s) done, 1 left out, 2 left. Next: inv jobs.run send_bills "
            "--slots=2026-03-03T04:00Z..2026-03-04T04:00Z --max-seconds=60 -- --currency 'U S'"
        )
    ]
    goes_on = shop.inv(*lines[3].partition("inv ")[2].replace("'U S'", "US").split(" "))
    assert goes_on.code == 0
    assert goes_on.err.splitlines()[-1] == "send_bills: 2 slot(s) done, none left."
    assert [call[0][:16] for call in shop.calls()] == [
        DAYS[1], DAYS[0], DAYS[2], DAYS[2], DAYS[3],
    ]  # fmt: skip
    assert outcomes(shop) == [
        (DAYS[1], "SUCCEEDED"), (DAYS[0], "SUCCEEDED"), (DAYS[2], "FAILED"),
        (DAYS[2], "SUCCEEDED"), (DAYS[3], "SUCCEEDED"),
    ]  # fmt: skip


@pytest.mark.slow
def test_done_slots_are_taken_over_with_a_reason(shop):
    """Without one it is wrong usage; the slots are the new runs'."""
    span = "--slots=2026-03-01T04:00Z..2026-03-02T04:00Z"
    assert shop.manage("run_job", "send_bills", span).code == 0
    assert shop.manage("run_job", "send_bills", span, "--again").code == 2
    again = shop.manage("run_job", "send_bills", span, "--again", "--reason=wrong  price", "--json")
    facts = json.loads(again.out)
    assert (again.code, facts["status"], facts["left"], facts["next"]) == (0, "SUCCEEDED", [], None)
    assert [(slot["slot"][:16], slot["run"]) for slot in facts["slots"]] == [
        (DAYS[0], 3), (DAYS[1], 4),
    ]  # fmt: skip
    shown = json.loads(shop.manage("show_run", "4", "--json").out)
    assert shown["parameters"] == {"again": "wrong  price"}
    taken = json.loads(shop.manage("run_job", "send_bills", f"--slot={DAYS[0]}Z", "--json").out)
    assert (taken["status"], taken["run"]) == ("TAKEN", 3)


@pytest.mark.slow
def test_transition_is_told_the_slot_as_of_which_it_runs(shop):
    """`--as-of`, where its command takes it; each covers its own slot and none that came later."""
    shop.declare('[tool.django-runbook.jobs.expire_trials]\ncron = "0 4 * * *"\n')
    done = shop.manage("run_job", "expire_trials", "--slots=2026-03-01..2026-03-02")
    assert (done.code, done.err.splitlines()[-1]) == (
        0,
        "expire_trials: 2 slot(s) done, none left.",
    )
    for number, day in ((1, DAYS[0]), (2, DAYS[1])):
        shown = json.loads(shop.manage("show_run", f"{number}", "--json").out)
        assert shown["arguments"] == [f"--as-of={day}:00+00:00"]
        assert shown["parameters"]["as_of"] == f"{day}:00+00:00"
    wrong = shop.manage(
        "run_job", "expire_trials", "--slots=2026-03-01..2026-03-02", "--", "--as-of=2026-03-01Z"
    )
    assert (wrong.code, wrong.err) == (
        2,
        "CommandError: --slots says --as-of itself; leave it out.\n",
    )


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--slots=2026-03-01"],
            (
                "--slots 2026-03-01 is not from one time to another, as in "
                "2026-03-01..2026-03-07 or 2026-03-01T04:17Z..latest."
            ),
        ),
        (
            ["--slots=2026-03-02..2026-03-01"],
            (
                "--slots 2026-03-02..2026-03-01 is not from one time to another, as in "
                "2026-03-01..2026-03-07 or 2026-03-01T04:17Z..latest."
            ),
        ),
        (["--again"], '--again and --reason "..." go together.'),
        (["--reason=why"], '--again and --reason "..." go together.'),
        (["--again", "--reason=why"], "--again is for a slot: add --slot or --slots."),
        (["--helps"], "--helps is for a slot: add --slot."),
        (
            ["--slots=2026-03-01..latest", "--", "--dry-run"],
            "--slots is for runs, and this one would do nothing.",
        ),
    ],
)
def test_wrong_usage_is_one_line(shop, argv, message):
    """Exit code 2, and nothing is recorded."""
    done = shop.manage("run_job", "send_bills", *argv)
    assert (done.code, done.out, done.err) == (2, "", f"CommandError: {message}\n")
    assert shop.runs() == []


@pytest.mark.engines("sqlite")
def test_span_without_a_slot_is_wrong_usage(shop):
    """It names the newest."""
    done = shop.manage("run_job", "send_bills", "--slots=2999-01-01..2999-01-02")
    assert done.code == 2
    assert done.err.startswith(
        "CommandError: --slots 2999-01-01..2999-01-02: no slot of send_bills has come in that "
        "time (cron 0 4 * * *, UTC). The newest is "
    )


@contextmanager
def running(shop: Shop):
    """Let the job run, with its command at work, to the end of the body."""
    over = shop.root / "over"
    process = shop.start("run_job", "send_bills", UNTIL=str(over))
    try:
        end = time.monotonic() + 60
        while not shop.calls() and time.monotonic() < end:
            time.sleep(0.05)
        yield over
    finally:
        over.touch()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def test_start_beside_another_is_left_out_with_exit_code_0(shop):
    """With a slot and without, as JSON and as a line; the slot is skipped, not done nor missed."""
    shop.declare(f'{DAILY}overlap = "skip"\n')
    with running(shop):
        slot = f"--slot={DAYS[0]}Z"
        told = shop.manage("run_job", "send_bills", slot, "--json")
        line = shop.manage("run_job", "send_bills")
        facts = json.loads(told.out)
        assert (told.code, told.err, facts["status"], facts["run"]) == (0, "", "SKIPPED", 2)
        assert (line.code, line.err) == (0, "")
        assert line.out.startswith("send_bills: run 1 (")
        assert line.out.endswith('is under way, and overlap is "skip"; nothing was changed.\n')
    assert outcomes(shop) == [("", "SUCCEEDED"), (DAYS[0], "SKIPPED"), ("", "SKIPPED")]


@pytest.mark.parametrize("how", ["SIGTERM", "--max-seconds"])
def test_wait_ends_with_exit_code_4(shop, how):
    """By a signal, and by its own time, in which the waiting counts; the slot stays free."""
    shop.declare(f'{DAILY}overlap = "wait"\n')
    argv = ["run_job", "send_bills", f"--slot={DAYS[0]}Z"]
    more = ["--max-seconds=1.5"] if how == "--max-seconds" else []
    with running(shop):
        waits = shop.start(*argv, *more)
        line = waits.stderr.readline()
        assert line.startswith("send_bills: waits for the end of run 1 (")
        if how == "SIGTERM":
            waits.send_signal(signal.SIGTERM)
        out, err = waits.communicate(timeout=60)
    said = how if how == "SIGTERM" else "--max-seconds 1.5"
    assert (waits.returncode, out) == (4, "")
    assert err.startswith(
        f"CommandError: Stopped by {said}, while send_bills waited for the end of run 1 ("
    )
    assert shop.manage(*argv).code == 0
    assert outcomes(shop) == [("", "SUCCEEDED"), (DAYS[0], "STOPPED"), (DAYS[0], "SUCCEEDED")]


@pytest.mark.slow
def test_wait_begins_when_the_other_has_ended(shop):
    """Then it does its slot."""
    shop.declare(f'{DAILY}overlap = "wait"\n')
    with running(shop) as over:
        waits = shop.start("run_job", "send_bills", f"--slot={DAYS[0]}Z")
        assert ": waits for the end of run 1 (" in waits.stderr.readline()
        assert len(shop.calls()) == 1
        over.touch()
        waits.communicate(timeout=60)
    assert (waits.returncode, len(shop.calls())) == (0, 2)
    assert outcomes(shop) == [("", "SUCCEEDED"), (DAYS[0], "SUCCEEDED")]
