"""Undo: exactly the rows that a run changed and that nobody has touched since."""

import datetime
from dataclasses import asdict

import pytest

from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs import registry
from django_runbook.jobs.batches import loop
from django_runbook.jobs.batches.passes import transition
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.batches.undo.undo_run import UndoResult, undo_run
from django_runbook.jobs.errors import RefusedError, UnknownRunError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.reading import rows
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Batch, Run, Status
from django_runbook.jobs.notify import pings
from django_runbook.jobs.registry import Change, Transition, job
from tests.factories import AccountFactory, UserFactory
from users.models import User

pytestmark = pytest.mark.django_db

NOW = datetime.datetime(2026, 3, 1, 4, 17, tzinfo=datetime.UTC)
OVER = NOW - datetime.timedelta(days=62)
EXPIRY = {
    "model": "accounts.account",
    "was": {"status": "TRIALING"},
    "to": {"status": "TRIAL_EXPIRED"},
}


@pytest.fixture
def small(monkeypatch):
    """Let a batch take two rows, and an undo look at two batches at a time."""
    for name in ("FIRST_SIZE", "LARGEST_SIZE", "LARGEST_PORTABLE"):
        monkeypatch.setattr(loop, name, 2)
    monkeypatch.setattr(rows, "AT_ONCE", 4)


@pytest.fixture
def registered(monkeypatch):
    """Return what registers a change as that of a job, with changes of earlier releases."""
    known = dict(registry.transitions())
    monkeypatch.setattr(registry, "_registered", known)

    def register(name: str, change: Change, *earlier: Change) -> None:
        known[name] = Transition(
            job=name,
            due=lambda _cutoff: change.model.objects.none(),
            was=change.was,
            to=change.to,
            fill=change.fill,
            fields=change.fields,
            undoes=earlier,
        )

    return register


def expired(count: int) -> tuple[Run, list[Account]]:
    """Return a run that expired so many accounts, and the accounts."""
    accounts = [AccountFactory(created=OVER) for _ in range(count)]
    return Run.objects.get(pk=expire_trials(now=NOW).run), accounts


def statuses(accounts: list[Account]) -> list[str]:
    """Return the statuses in the database, of those that are still there."""
    found = Account.objects.in_bulk([account.pk for account in accounts])
    return [found[account.pk].status for account in accounts if account.pk in found]


def facts(result: UndoResult) -> dict:
    """Return a result without its time."""
    return {name: value for name, value in asdict(result).items() if name != "seconds"}


def made(**values) -> Run:
    """Return a run of the ledger, with one batch for each list of keys."""
    batches = values.pop("ids", ())
    defaults = {
        "job": "expire_trials",
        "status": Status.SUCCEEDED,
        "change": EXPIRY,
        "changed": sum(map(len, batches)),
        "batches": len(batches),
    }
    values = {**defaults, **values}
    run = Run.objects.create(model=values["change"].get("model", ""), **values)
    for number, ids in enumerate(batches, start=1):
        Batch.objects.create(run=run, number=number, changed=len(ids), ids=ids)
    return run


def test_puts_back_what_nobody_has_touched(small):
    """The rest is left, and said by reason: paid, deleted, changed again by a later run."""
    run, accounts = expired(7)
    _kept, _kept2, paid, paid2, deleted, again, again2 = accounts
    Account.objects.filter(pk__in=[paid.pk, paid2.pk]).update(status=Account.ACTIVE)
    Account.objects.get(pk=deleted.pk).delete()
    Account.objects.filter(pk__in=[again.pk, again2.pk]).update(status=Account.TRIALING)
    later = expire_trials(now=NOW).run
    result = undo_run(run.pk)
    assert facts(result) == {
        "run": later + 1,
        "undoes": run.pk,
        "job": "expire_trials",
        "status": "SUCCEEDED",
        "reason": "",
        "changed": 7,
        "restored": 2,
        "others": {"changed again": 2, "gone": 1, "status=ACTIVE": 2},
        "owners": {"changed again": {later: 2}},
        "left": 0,
        "warnings": (),
    }
    assert statuses(accounts) == ["TRIALING"] * 2 + ["ACTIVE"] * 2 + ["TRIAL_EXPIRED"] * 2


def test_is_itself_a_run(small):
    """With who, what it undoes and the way back; its batches hold what it put back."""
    run, accounts = expired(5)
    Account.objects.filter(pk=accounts[1].pk).update(status=Account.ACTIVE)
    order = Order(who=Who(user="me", host="laptop", pid=7))
    undo = Run.objects.get(pk=undo_run(run.pk, order=order).run)
    assert (undo.job, undo.status, undo.undoes, undo.who) == (
        "expire_trials",
        "SUCCEEDED",
        run,
        "me@laptop",
    )
    assert undo.change == {**EXPIRY, "was": EXPIRY["to"], "to": EXPIRY["was"]}
    assert (undo.due, undo.changed, undo.batches, undo.slot) == (5, 4, 3, None)
    ids = [key for batch in undo.batch_set.order_by("number") for key in batch.ids]
    assert sorted(ids) == sorted({account.pk for account in accounts} - {accounts[1].pk})


def test_stopped_undo_is_gone_on_with_by_another(small):
    """What is put back stays; the next undo names what it continues, and puts back the rest."""
    run, accounts = expired(6)
    stop = Stop()
    first = undo_run(run.pk, stop=stop, watch=lambda _batch: stop.ask("SIGINT"))
    assert (first.status, first.reason, first.restored, first.left) == ("STOPPED", "SIGINT", 2, 4)
    assert sorted(statuses(accounts)) == ["TRIALING"] * 2 + ["TRIAL_EXPIRED"] * 4
    second = undo_run(run.pk)
    assert (second.status, second.restored, second.left) == ("SUCCEEDED", 4, 0)
    assert (second.others, second.owners) == ({"put back": 2}, {"put back": {first.run: 2}})
    assert Run.objects.get(pk=second.run).continues_id == first.run
    assert statuses(accounts) == ["TRIALING"] * 6
    third = undo_run(run.pk)
    assert (third.restored, third.others) == (0, {"put back": 6})
    assert third.owners == {"put back": {first.run: 2, second.run: 4}}
    assert Run.objects.get(pk=third.run).continues_id is None


def test_stopped_undo_looks_at_no_more_rows(small):
    """Of what comes after the end was asked for, nothing is said; at once, that is all of it."""
    run, accounts = expired(5)
    Account.objects.filter(pk=accounts[4].pk).update(status=Account.TRIALING)
    expire_trials(now=NOW)
    for batches, restored, left in ((0, 0, 5), (1, 2, 3)):
        stop = Stop()
        if batches == 0:
            stop.ask("SIGTERM")
        result = undo_run(run.pk, stop=stop, watch=lambda _batch, ask=stop.ask: ask("SIGTERM"))
        assert (result.status, result.restored, result.others, result.left) == (
            "STOPPED",
            restored,
            {},
            left,
        )
    assert statuses(accounts) == ["TRIALING"] * 2 + ["TRIAL_EXPIRED"] * 3


@pytest.mark.parametrize("at_once", [1, 100])
def test_of_two_runs_at_once_the_later_batch_counts(at_once, monkeypatch):
    """A row belongs to the run that changed it last, whatever the numbers of the runs."""
    monkeypatch.setattr(rows, "AT_ONCE", at_once)
    other, row = (AccountFactory(status=Account.TRIAL_EXPIRED) for _ in range(2))
    early = made(ids=[[other.pk]])
    late = made(ids=[[row.pk]])
    Batch.objects.create(run=early, number=2, changed=1, ids=[row.pk])  # after the late run's
    Run.objects.filter(pk=early.pk).update(changed=2, batches=2)
    left = undo_run(late.pk)
    assert (left.restored, left.owners) == (0, {"changed again": {early.pk: 1}})
    done = undo_run(early.pk)
    assert (done.restored, done.others) == (2, {})


def test_row_that_a_run_changed_twice_is_put_back_once(small):
    """Its books stay balanced: the first time was changed again, by the run itself."""
    row = AccountFactory(status=Account.TRIAL_EXPIRED)
    run = made(ids=[[row.pk], [row.pk]])
    result = undo_run(run.pk)
    assert (result.restored, result.owners) == (1, {"changed again": {run.pk: 1}})
    assert statuses([row]) == ["TRIALING"]


def test_asks_for_the_whole_state_and_sets_what_the_run_set(registered):
    """A field that the run only looked at is not set back, and who changed it keeps the row."""
    users = [UserFactory(is_active=True, is_staff=False) for _ in range(2)]
    change = Change(model=User, was={"is_active": True, "is_staff": False}, to={"is_active": False})
    registered("shut", change)
    run = runs.open_run(job("shut"), Order(), **change.recorded())
    transition(User.objects.filter(**change.was), change, run=run)
    runs.close(run, Status.SUCCEEDED)
    User.objects.filter(pk=users[1].pk).update(is_staff=True)
    result = undo_run(run.pk)
    assert (result.restored, result.others) == (1, {"is_active=False": 1})
    found = User.objects.order_by("pk").values_list("is_active", "is_staff")
    assert list(found) == [(True, False), (False, True)]


def test_heartbeat_of_the_job_is_told_nothing(monkeypatch):
    """An undo is no success of the job: its watcher would take the day for done."""
    told = []
    monkeypatch.setenv("EXPIRE_TRIALS_HEARTBEAT_URL", "https://ping.example/1")
    monkeypatch.setattr(pings, "_ping", lambda *_: told.append("ping"))
    run, _accounts = expired(1)
    assert told == ["ping", "ping"]  # started, succeeded
    undo_run(run.pk)
    assert told == ["ping", "ping"]


def test_is_its_own_run_inside_another():
    """Where ``run_job`` runs the command, the undo does not write into that run."""
    run, accounts = expired(1)
    outer = runs.open_run(job("undo_run"), Order())
    result = undo_run(run.pk, order=Order(inside=outer.pk))
    assert result.run not in (run.pk, outer.pk)
    assert statuses(accounts) == ["TRIALING"]


REFUSALS = [
    ({"undoes": True}, "run {run} is itself the undo of run {first}."),
    ({"ids": []}, "run {run} changed no rows that the ledger knows."),
    ({"change": {}}, "run {run} changed no rows that the ledger knows."),
    (
        {"status": Status.RUNNING, "user": "me", "host": "laptop"},
        (
            "run {run} of expire_trials is running (me@laptop); nothing was changed. "
            "Stop it first, or wait for its end."
        ),
    ),
    (
        {"batches": 3},
        "the ledger keeps 1 of the 3 batches of run {run}; nothing was changed.",
    ),
]


@pytest.mark.parametrize(("values", "message"), REFUSALS, ids=lambda value: str(value)[:30])
def test_refusals_write_nothing(values, message):
    """What cannot be undone is refused before anything is written, the ledger included."""
    row = AccountFactory(status=Account.TRIAL_EXPIRED)
    first = made(ids=[[row.pk]])
    undoes = {"undoes": first} if values.get("undoes") else {}
    run = made(**{"ids": [[row.pk]], **values, **undoes})
    with pytest.raises(RefusedError) as refused:
        undo_run(run.pk)
    assert str(refused.value) == "Refused: " + message.format(run=run.pk, first=first.pk)
    assert (Run.objects.count(), statuses([row])) == (2, ["TRIAL_EXPIRED"])


def test_lost_run_can_be_undone():
    """A run whose heart has stopped is no longer running: it is marked, and undone."""
    row = AccountFactory(status=Account.TRIAL_EXPIRED)
    run = made(ids=[[row.pk]], status=Status.RUNNING, heartbeat=NOW)
    assert undo_run(run.pk).restored == 1
    run.refresh_from_db()
    assert run.status == "LOST"


def test_unknown_run_is_named():
    """There is a place to look for its number."""
    with pytest.raises(UnknownRunError, match=r"^There is no run 7\. See 'inv jobs\.history'\.$"):
        undo_run(7)
