"""The daily job, as the article describes it and beyond."""

import datetime
import json
import threading
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from accounts.errors import RefusedError
from accounts.management.commands.expire_trials import Command
from accounts.models import Account, Status
from accounts.selectors import count_by_status, overdue_trials
from accounts.services import ExpireResult, expire_trials
from django_runbook.jobs.models import Run
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

NOW = datetime.datetime(2026, 3, 1, 4, 0, tzinfo=datetime.UTC)
LIMIT = datetime.timedelta(days=61)
INSTANT = datetime.timedelta(microseconds=1)


def test_expires_trials():
    """Old trials are marked as expired."""
    stdout = StringIO()
    account = AccountFactory(
        status=Account.TRIALING, created=timezone.now() - datetime.timedelta(days=65)
    )
    command = Command(stdout=stdout)
    command.handle()
    account.refresh_from_db()
    assert account.status == Account.TRIAL_EXPIRED
    assert "Expired 1 trial(s)" in stdout.getvalue()


def run(*argv: str) -> str:
    """Return what the command prints at NOW."""
    stdout = StringIO()
    with time_machine.travel(NOW, tick=False):
        call_command("expire_trials", *argv, stdout=stdout)
    return stdout.getvalue()


def status_of(account: Account) -> str:
    """Return the status in the database."""
    return Account.objects.get(pk=account.pk).status


def test_prints_the_articles_two_lines():
    """A run prints the two lines of the article and nothing else."""
    AccountFactory(created=NOW - LIMIT - INSTANT)
    assert run() == "Search for old trial accounts...\nExpired 1 trial(s)\n"


def test_second_run_finds_nothing():
    """The job is safe to repeat."""
    AccountFactory(created=NOW - LIMIT - INSTANT)
    run()
    assert run() == "Search for old trial accounts...\nExpired 0 trial(s)\n"


def test_dry_run_changes_nothing():
    """--dry-run says how many are due and leaves them as they are."""
    account = AccountFactory(created=NOW - LIMIT - INSTANT)
    assert run("--dry-run") == (
        "Search for old trial accounts...\n"
        "Would expire 1 trial(s) created before 2025-12-30T04:00:00+00:00\n"
    )
    assert status_of(account) == Account.TRIALING


@pytest.mark.slow
def test_dry_run_says_what_a_new_job_is_not_held_against():
    """Many rows and no history: the line names the limit that cannot speak yet."""
    AccountFactory.create_batch(101, created=NOW - LIMIT - INSTANT)
    AccountFactory.create_batch(101)
    assert run("--dry-run").splitlines()[1] == (
        "Would expire 101 trial(s) created before 2025-12-30T04:00:00+00:00, not held against a "
        "median: the ledger has 0 of the 3 slots or days with rows that it takes (max_times_median)"
    )


def test_json_is_one_object_and_nothing_else():
    """--json prints one object, with times in ISO 8601."""
    AccountFactory(created=NOW - LIMIT - INSTANT)
    result = json.loads(run("--json"))
    assert result.pop("seconds") < 10
    assert result == {
        "as_of": "2026-03-01T04:00:00+00:00",
        "cutoff": "2025-12-30T04:00:00+00:00",
        "dry_run": False,
        "due": 1,
        "expired": 1,
        "failed": 0,
        "run": Run.objects.get().pk,
        "status": "SUCCEEDED",
        "batches": 1,
        "left": 0,
        "reason": "",
        "continues": None,
        "limit": "",
        "note": "",
        "warnings": [],
    }


@pytest.mark.parametrize("status", sorted(set(Status) - {Account.TRIALING}))
def test_only_trials_expire(status):
    """Whoever pays, is exempt, or has ended stays as they are."""
    account = AccountFactory(status=status, created=NOW - LIMIT * 2)
    result = json.loads(run("--json"))
    assert (result["due"], result["expired"]) == (0, 0)
    assert status_of(account) == status


def test_boundary_instant_still_has_its_trial():
    """An account exactly 61 days old keeps its trial; one microsecond older has lost it."""
    kept = AccountFactory(created=NOW - LIMIT)
    lost = AccountFactory(created=NOW - LIMIT - INSTANT)
    result = expire_trials(now=NOW)
    assert result == ExpireResult(
        as_of=NOW,
        cutoff=NOW - LIMIT,
        dry_run=False,
        due=1,
        expired=1,
        run=Run.objects.get().pk,
        status="SUCCEEDED",
        batches=1,
        seconds=result.seconds,
    )
    assert (status_of(kept), status_of(lost)) == (Account.TRIALING, Account.TRIAL_EXPIRED)


@pytest.mark.parametrize(
    ("created", "last_instant"),
    [
        ("2028-01-01T12:00Z", "2028-03-02T12:00Z"),  # over the leap day of 2028
        ("2027-01-01T12:00Z", "2027-03-03T12:00Z"),  # the same days of a common year
        ("2028-02-29T00:00Z", "2028-04-30T00:00Z"),  # created on the leap day
    ],
)
def test_leap_day_is_a_day_like_any_other(created, last_instant):
    """61 days are 61 days, over a 29 February as well."""
    account = AccountFactory(created=datetime.datetime.fromisoformat(created))
    last = datetime.datetime.fromisoformat(last_instant)
    assert expire_trials(now=last).expired == 0
    assert expire_trials(now=last + INSTANT).expired == 1
    assert status_of(account) == Account.TRIAL_EXPIRED


@pytest.mark.parametrize(
    ("created", "last_instant"),
    [
        # Berlin goes to summer time on 29 March 2026 and back on 25 October: the clock on the wall
        # shows another hour at the end, the trial is as long.
        ("2026-02-10T12:00+01:00", "2026-04-12T13:00+02:00"),
        ("2026-09-10T12:00+02:00", "2026-11-10T11:00+01:00"),
    ],
)
def test_daylight_saving_shortens_nobodys_trial(settings, created, last_instant):
    """61 days of 24 hours, whatever the clocks of TIME_ZONE do."""
    settings.TIME_ZONE = "Europe/Berlin"
    AccountFactory(created=datetime.datetime.fromisoformat(created))
    last = datetime.datetime.fromisoformat(last_instant)
    assert expire_trials(now=last).expired == 0
    assert expire_trials(now=last + INSTANT).expired == 1


def test_trial_and_grace_are_settings(settings):
    """TRIAL_DAYS and TRIAL_GRACE_DAYS move the cutoff."""
    settings.TRIAL_DAYS, settings.TRIAL_GRACE_DAYS = 10, 3
    assert expire_trials(now=NOW).cutoff == NOW - datetime.timedelta(days=13)


def test_as_of_is_the_time_of_a_missed_run():
    """--as-of expires what was due then, and not what became due since."""
    then = AccountFactory(created=NOW - LIMIT - datetime.timedelta(days=2))
    since = AccountFactory(created=NOW - LIMIT - datetime.timedelta(hours=1))
    result = json.loads(run("--json", "--as-of=2026-02-28T05:00+01:00"))
    assert result["as_of"] == "2026-02-28T04:00:00+00:00"
    assert result["expired"] == 1
    assert (status_of(then), status_of(since)) == (Account.TRIAL_EXPIRED, Account.TRIALING)


def test_as_of_in_the_future_is_refused():
    """A time to come is refused with exit code 3, and nothing changes."""
    account = AccountFactory(created=NOW - LIMIT - INSTANT)
    with pytest.raises(CommandError) as refused:
        run("--as-of=2026-03-01T04:00:01Z")
    assert str(refused.value) == (
        "2026-03-01T04:00:01+00:00 is in the future: nothing was expired. "
        "Add --dry-run to see what would be due then."
    )
    assert refused.value.returncode == 3
    assert status_of(account) == Account.TRIALING


def test_dry_run_may_look_into_the_future():
    """A rehearsal may use a time to come."""
    AccountFactory(created=NOW)
    due = "Would expire 1 trial(s) created before 2026-05-01T04:00:00+00:00\n"
    assert run("--dry-run", "--as-of=2026-07-01T04:00Z").endswith(due)


@pytest.mark.parametrize("text", ["yesterday", "2026-03-01", "2026-03-01T04:00", "", "2026-02-30Z"])
def test_as_of_needs_a_time_with_its_zone(text):
    """A time that is no time, or has no zone, is wrong usage."""
    with pytest.raises(CommandError, match="is not a time with its zone, as in 2026-03-01T04:00Z"):
        run(f"--as-of={text}")


def test_unapplied_migrations_are_refused():
    """Nothing runs on a schema that is not the code's; the message names the next step."""
    MigrationRecorder.Migration.objects.filter(app="users", name="0003_profile").delete()
    AccountFactory(created=NOW - LIMIT - INSTANT)
    with pytest.raises(CommandError) as refused:
        run()
    assert str(refused.value) == "users.0003_profile is not applied. Run 'inv db.migrate' first."
    assert refused.value.returncode == 3
    assert overdue_trials(NOW - LIMIT).count() == 1


def test_service_refuses_before_it_reads():
    """The refusal of a future time costs no query."""
    with pytest.raises(RefusedError):
        expire_trials(now=NOW, as_of=NOW + INSTANT)


@pytest.mark.engines("sqlite", "postgresql")  # MariaDB has no partial index
def test_daily_look_up_uses_the_partial_index(engine):
    """The look-up reads the partial index, which holds trials alone, and no table scan."""
    AccountFactory.create_batch(5, created=NOW - LIMIT * 2)
    if engine == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    plan = overdue_trials(NOW - LIMIT).explain()
    assert "accounts_account_trialing" in plan
    assert "created" in plan.partition("accounts_account_trialing")[2]


@pytest.mark.engines("postgresql")
@pytest.mark.django_db(transaction=True)
def test_account_that_pays_in_between_stays_active():
    """A payment that commits while the job waits for its row wins: the UPDATE asks again."""
    payer = AccountFactory(created=NOW - LIMIT * 2)
    other = AccountFactory(created=NOW - LIMIT * 2)
    results = []

    def job():
        try:
            results.append(expire_trials(now=NOW))
        finally:
            connections.close_all()

    with transaction.atomic():
        Account.objects.filter(pk=payer.pk).update(status=Account.ACTIVE)
        thread = threading.Thread(target=job)
        thread.start()
        wait_until_somebody_waits_for_a_lock()
        assert thread.is_alive()
    thread.join(timeout=10)

    assert [(result.due, result.expired) for result in results] == [(2, 1)]
    assert status_of(payer) == Account.ACTIVE
    assert status_of(other) == Account.TRIAL_EXPIRED


def wait_until_somebody_waits_for_a_lock() -> None:
    """Return once a second connection of this database stands in a lock's queue."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
    """
    deadline = timezone.now() + datetime.timedelta(seconds=10)
    while timezone.now() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(query)
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits for a lock")


def test_summary_names_every_status():
    """Each status is counted, those of nobody too, in their order."""
    AccountFactory.create_batch(2)
    AccountFactory(status=Account.ACTIVE)
    assert list(count_by_status().items()) == [
        ("EXEMPT", 0),
        ("TRIALING", 2),
        ("ACTIVE", 1),
        ("PAST_DUE", 0),
        ("CANCELED", 0),
        ("TRIAL_EXPIRED", 0),
    ]
