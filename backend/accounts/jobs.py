"""The jobs of the accounts, for the ledger."""

import datetime

from accounts.explanations import explain_account
from accounts.models import Status, trial_time_with_grace
from accounts.selectors import overdue_trials, trials
from django_runbook.jobs import Transition, register


def cutoff(as_of: datetime.datetime) -> datetime.datetime:
    """Return before when an account was created whose trial is over at ``as_of`` (aware)."""
    return as_of - trial_time_with_grace()


EXPIRE_TRIALS = register(
    Transition(
        job="expire_trials",
        cutoff=cutoff,
        due=overdue_trials,
        population=trials,
        since="created",
        was={"status": Status.TRIALING},
        to={"status": Status.TRIAL_EXPIRED},
        explain=explain_account,
    )
)
