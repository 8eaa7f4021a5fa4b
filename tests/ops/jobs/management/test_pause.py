"""`inv jobs.pause` and `inv jobs.resume`, and what starts of the job come to between them."""

import json
import re

import pytest

pytestmark = pytest.mark.slow

PAUSED = (
    r"expire_trials is paused since \d{4}-\d\d-\d\dT\d\d:\d\dZ until 2099-01-01T00:00Z by "
    r"\S+@\S+ \(the new price list\)"
)


@pytest.fixture
def env(database_url) -> dict[str, str]:
    """Return the environment of commands on a database of their own."""
    return {"DATABASE_URL": database_url, "USER": "me", "LOGNAME": "me"}


@pytest.fixture
def pause(commands, env):
    """Pause the job until the year 2099, and return what was printed."""
    reason = "the new price list"
    return commands.inv(
        "jobs.pause", "expire_trials", "--until", "2099-01-01T00:00Z", "--reason", reason, **env
    )


def test_pause_is_told(pause):
    """Who, why, until when, and what ends it; on a protected target too, it destroys nothing."""
    assert (pause.code, pause.err) == (0, "")
    assert re.fullmatch(PAUSED + r"\. 'inv jobs\.resume expire_trials' ends it\.\n", pause.out), (
        pause.out
    )


@pytest.mark.parametrize("start", [("jobs.run", "expire_trials"), ("expire",)])
def test_start_by_hand_is_refused_in_one_line(commands, env, pause, start):
    """With exit code 3, who, why, until when, and the command that ends the pause."""
    done = commands.inv(*start, **env)
    assert (done.code, len(done.err.splitlines())) == (3, 1)
    assert re.fullmatch(
        "(CommandError: )?Refused: "
        + PAUSED
        + r"; nothing was changed\. 'inv jobs\.resume expire_trials' ends the pause\.\n",
        done.err,
    ), done.err
    assert json.loads(commands.inv("jobs.history", "--json", **env).out) == []


def test_scheduled_start_does_nothing_and_is_no_failure(commands, env, pause):
    """With exit code 0 and one line; its slot is not claimed, and so is free behind the pause."""
    done = commands.inv("jobs.run", "expire_trials", "--slot", "latest", **env)
    assert done.code == 0
    assert re.search(PAUSED, done.out), done
    assert json.loads(commands.inv("jobs.history", "--json", **env).out) == []
    resumed = commands.inv("jobs.resume", "expire_trials", **env)
    assert resumed.code == 0
    done = commands.inv("jobs.run", "expire_trials", **env)
    assert (done.code, "succeeded" in done.err) == (0, True)


def test_dry_run_and_undo_go_on(commands, env):
    """A pause is made to look, and to put rows back."""
    assert commands.manage("create_sample_accounts", "--count=300", **env).code == 0
    assert commands.manage("expire_trials", **env).code == 0
    reason = "--reason=it expired the wrong ones"
    assert commands.inv("jobs.pause", "expire_trials", reason, **env).code == 0
    assert commands.inv("expire", "--dry-run", **env).code == 0
    assert commands.inv("jobs.undo", "1", **env).code == 0
    assert commands.inv("expire", **env).code == 3


def test_resume_tells_what_it_ended(commands, env, pause):
    """The second time there is nothing to end, and that is no failure."""
    done = commands.inv("jobs.resume", "expire_trials", **env)
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert re.fullmatch(
        r"expire_trials paused since \S+ until 2099-01-01T00:00Z by \S+: the new price list; "
        r"resumed \d{4}-\d\d-\d\dT\d\d:\d\dZ by \S+",
        first,
    ), first
    assert re.fullmatch(
        r"Its next slot is \S+T04:17Z; 'inv jobs\.run expire_trials' is sooner\.", second
    )
    again = commands.inv("jobs.resume", "expire_trials", **env)
    assert (again.code, again.out, again.err) == (0, "expire_trials is not paused.\n", "")


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("jobs.pause", "expire_trial", "--reason=x"),
            "There is no management command 'expire_trial'. Did you mean expire_trials?",
        ),
        (
            ("jobs.pause", "expire_trials", "--until=2020-01-01T00:00Z", "--reason=x"),
            "--until 2020-01-01T00:00Z is over.",
        ),
        (
            ("jobs.pause", "expire_trials", "--until=2099-01-01", "--reason=x"),
            (
                "manage.py pause_job: argument --until: '2099-01-01' is not a time with its zone, "
                "as in 2026-03-01T04:00Z. See 'manage.py pause_job --help'."
            ),
        ),
        (
            ("jobs.pause", "expire_trials", "--reason= "),
            'Say why, as in --reason "the new price list".',
        ),
        (
            ("jobs.pause", "expire_trials"),
            'Say why, as in: inv jobs.pause expire_trials --reason "new prices"',
        ),
        (
            ("jobs.resume", "expire_trial"),
            "There is no management command 'expire_trial'. Did you mean expire_trials?",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(commands, env, words, message):
    """A name that is misspelt pauses nothing in silence."""
    done = commands.inv(*words, **env)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].removeprefix("CommandError: ") == message
