"""What runs did to a row, and at which slot it will change."""

import pytest

from accounts.jobs import EXPIRE_TRIALS
from accounts.models import Status
from django_runbook.jobs.models import Batch
from django_runbook.jobs.watch.explanations import RowChange, explain
from tests.factories import AccountFactory
from tests.ops.jobs.past_runs import DAY, HOUR, INSTANT, MINUTE, SLOT, TRIAL, ran

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("created", "now", "slot"),
    [
        (SLOT - TRIAL, SLOT - DAY, SLOT),  # due from the slot on
        (SLOT - TRIAL + INSTANT, SLOT - DAY, SLOT + DAY),
        (SLOT - TRIAL - DAY / 2, SLOT - DAY, SLOT),
        (SLOT - TRIAL * 2, SLOT + HOUR, SLOT + DAY),  # long due: the next slot from now
        (SLOT - TRIAL * 2, SLOT, SLOT),
    ],
)
def test_row_will_change_at_the_first_slot_from_then_on(declare, created, now, slot):
    """The first slot at or after it is due, and not before now."""
    account = AccountFactory(created=created)
    assert explain(EXPIRE_TRIALS, str(account.pk), now).next_slot == slot


def test_story_tells_what_runs_did_to_the_row(declare):
    """Newest first, undone ones as well; another row's and another model's changes are not its."""
    account, other = AccountFactory(), AccountFactory(status=Status.ACTIVE)
    there = {"was": {"status": "TRIALING"}, "to": {"status": "TRIAL_EXPIRED"}}
    back = {"was": there["to"], "to": there["was"]}
    run = ran(change={"model": "accounts.account", **there})
    undo = ran(change={"model": "accounts.account", **back}, undoes=run)
    strange = ran(change={"model": "users.user", **there})
    for number, (of, ids, at) in enumerate(
        [
            (run, [account.pk, other.pk * 10], SLOT),
            (run, [other.pk], SLOT + MINUTE),
            (undo, [account.pk], SLOT + HOUR),
            (strange, [account.pk], SLOT),
        ]
    ):
        Batch.objects.create(run=of, number=number, changed=len(ids), ids=ids, finished=at)
    story = explain(EXPIRE_TRIALS, account.user.username, SLOT)
    assert story.changes == (
        RowChange(run=undo.pk, job="expire_trials", at=SLOT + HOUR, undoes=run.pk, **back),
        RowChange(run=run.pk, job="expire_trials", at=SLOT, undoes=None, **there),
    )
    assert (story.job, story.model, story.pk) == ("expire_trials", "account", account.pk)
    assert explain(EXPIRE_TRIALS, str(other.pk), SLOT).next_slot is None
