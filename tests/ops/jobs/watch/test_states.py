"""The one word for how a job is: the worst of what holds, the same in each answer."""

import datetime
import json

import pytest
from django.core.management import CommandError, call_command

from accounts.jobs import EXPIRE_TRIALS
from django_runbook.config import Job
from django_runbook.jobs.watch.states import State
from django_runbook.jobs.watch.status import check
from tests.factories import AccountFactory
from tests.ops.jobs.past_runs import (
    DAY,
    HOUR,
    INSTANT,
    JOB,
    MINUTE,
    SLOT,
    TRIAL,
    paused,
    ran,
)

pytestmark = pytest.mark.django_db
GRACE = 6 * HOUR


def word(now: datetime.datetime) -> str:
    """Return the word of the only job."""
    (found,) = check(now)
    assert found.ok is (found.state in ("ok", "running", "paused", "late"))
    return found.state


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"status": "FAILED"}, "failed"),
        ({"status": "REFUSED"}, "refused"),
        ({"status": "LOST"}, "lost"),
        ({"status": "RUNNING", "heartbeat": SLOT}, "lost"),
        ({"status": "RUNNING"}, "running"),
        ({"status": "RUNNING", "slot": SLOT, "started": SLOT - MINUTE}, "running"),
        ({"status": "RUNNING", "covers": SLOT - INSTANT}, "late"),  # it does another's work
        ({"status": "RUNNING", "undoes": True}, "late"),
        ({"status": "STOPPED"}, "late"),
        ({"status": "SKIPPED"}, "late"),
        ({"status": "SUCCEEDED"}, "ok"),
        ({"job": "another"}, "late"),
    ],
)
def test_word_for_the_last_end(declare, values, found):
    """Within the grace of a slot: it is late, but where a run does it, did it or came to harm."""
    first = ran(started=SLOT - DAY)
    ran(**{"started": SLOT, **values, **({"undoes": first} if values.get("undoes") else {})})
    assert word(SLOT + HOUR) == found


def test_worst_word_is_told(declare):
    """One after the other: what a run came to, then what nobody did, then what goes on."""
    declare(JOB, registered=(EXPIRE_TRIALS,))
    for day in (9, 8, 7):
        ran(started=SLOT - day * DAY)
    AccountFactory(created=SLOT - TRIAL - DAY)
    ran("RUNNING", SLOT - DAY, heartbeat=SLOT + 99 * 365 * DAY)
    failed = ran("FAILED", SLOT)
    now = SLOT + GRACE + HOUR
    seen = [word(now)]
    failed.delete()
    seen.append(word(now))
    done = ran(started=SLOT + MINUTE)
    seen.append(word(now))
    declare(JOB)
    seen.append(word(now))
    paused(SLOT + GRACE)
    seen.append(word(now))
    done.job, done.finished = "another", SLOT
    done.save()
    seen += [word(SLOT + GRACE - INSTANT)]
    assert seen == ["failed", "missed", "overdue", "slow", "slow", "slow"]


def test_words_of_a_job_without_a_schedule(declare):
    """Stopped, where nobody goes on with it after the grace; paused, where somebody said so."""
    declare(Job(name="expire_trials"))
    ran("STOPPED", SLOT)
    seen = [word(SLOT + HOUR), word(SLOT + DAY)]
    going = ran("RUNNING", SLOT + HOUR)
    seen.append(word(SLOT + DAY))
    paused(SLOT)
    seen.append(word(SLOT + DAY))
    going.delete()
    assert [*seen, word(SLOT + DAY)] == ["ok", "stopped", "running", "paused", "paused"]


def test_word_stands_in_the_json_of_the_command(declare, capsys):
    """Spelled small, as a program compares it."""
    ran("REFUSED", SLOT)
    with pytest.raises(CommandError):
        call_command("job_status", "--json")
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert (job["job"], job["ok"], job["state"]) == ("expire_trials", False, "refused")


def test_each_end_that_needs_a_look_has_a_word():
    """The ends of a run that `check` calls bad are words of a job."""
    assert {"failed", "lost", "refused"} < set(State.values)
    assert State("ok").label == "OK"
