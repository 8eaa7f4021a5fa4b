"""A look within a request ends in time, also where the project wraps requests in transactions."""

import time

import pytest
from django.db import connection

from django_runbook.jobs.models import Run
from django_runbook.jobs.pages.acts import looking
from tests.ops.jobs.pages.acts.conftest import job, run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engines("postgresql")]
LATE = (
    "To look at all batches takes longer than 0.3 seconds; the undo looks at them before it "
    "changes anything."
)


@pytest.fixture
def locked(session, monkeypatch):
    """Let another session lock a table for ever, and every request be a transaction."""
    monkeypatch.setattr(looking, "SECONDS", 0.3)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    def lock(table):
        other = session()
        other.execute("SET idle_in_transaction_session_timeout = '10s'")  # it fails, and ends
        other.execute("BEGIN")
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")

    return lock


@pytest.mark.slow
@pytest.mark.parametrize("act", ["dry-run", "run"])
def test_look_at_a_locked_table_is_broken_off(as_user, taken, locked, act):
    """The page says so; a run may be asked for all the same."""
    client = as_user("run_job")
    locked("accounts_account")
    begun = time.monotonic()
    answer = client.get(job(act))
    assert time.monotonic() - begun < 5
    assert (answer.status_code, answer.context["shows"].notes) == (
        200,
        ("A look takes longer than 0.3 seconds; on a terminal it takes as long as it must.",),
    )


@pytest.mark.slow
def test_plan_of_an_undo_is_broken_off(as_user, taken, locked, monkeypatch):
    """Its batches may be many; the worker looks at them."""
    change = {"model": "accounts.account", "was": {"status": "TRIALING"}}
    change["to"] = {"status": "TRIAL_EXPIRED"}
    did = {"changed": 3, "batches": 1, "change": change, "model": "accounts.account"}
    made = Run.objects.create(job="expire_trials", status="SUCCEEDED", **did)
    client = as_user("undo_run")
    monkeypatch.setattr(looking, "keys", lambda _pk: [])
    locked("runbook_jobs_batch")
    answer = client.get(run("undo", made.pk))
    assert (answer.status_code, answer.context["shows"].notes, answer.context["shows"].facts) == (
        200,
        (LATE,),
        (("Rows", "3, in 1 batch(es)"),),
    )
