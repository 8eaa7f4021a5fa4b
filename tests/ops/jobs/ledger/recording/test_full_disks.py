"""A database that is full or read-only: one line, exit code 1, and nothing is lost."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs.models import Run, Status
from tests.commands import ROOT
from tests.ops.jobs import books

pytestmark = [pytest.mark.engines("sqlite", "postgresql"), pytest.mark.slow]

DUE = 1500
BALLAST = 200_000  # bytes for each batch, on SQLite
MANAGE = [sys.executable, str(ROOT / "backend/manage.py"), "expire_trials"]


@pytest.fixture
def url(shared_url):
    """Return the URL of a database with accounts that are due."""
    books.stage(DUE, now=timezone.now(), young=DUE)
    return shared_url


def failed(done) -> str:
    """Return why a run failed whose first batches were committed and whose rest was not."""
    run = Run.objects.get()
    assert 0 < run.changed < DUE
    assert run.status == Status.FAILED
    assert books.complaints() == []
    line = (
        rf"CommandError: Run {run.pk} of expire_trials failed: (.*)\. "
        rf"{run.changed:,} changed row\(s\) stay changed; the next run goes on\.\n"
    )
    found = re.fullmatch(line, done.err)
    assert found, done.err
    assert (done.code, run.reason) == (1, found[1])
    return found[1]


def the_next_run_does_the_rest() -> None:
    """Once there is room again."""
    assert expire_trials(now=timezone.now()).left == 0
    assert books.statuses() == {"ACTIVE": 2, "TRIALING": DUE, "TRIAL_EXPIRED": DUE}
    assert books.complaints() == []


@pytest.fixture
def heavy(url):
    """Let each batch take more room than changing its rows sets free."""
    books.execute(
        "CREATE TABLE ballast (load blob)",
        f"""CREATE TRIGGER heavy AFTER INSERT ON runbook_jobs_batch BEGIN
            INSERT INTO ballast VALUES (zeroblob({BALLAST})); END""",
    )
    return url


@pytest.mark.engines("sqlite")
def test_full_database(commands, heavy):
    """SQLite's own limit on the pages of a file."""
    with connection.cursor() as cursor:
        pages = cursor.execute("PRAGMA page_count").fetchone()[0] + BALLAST * 3 // 2 // 4096
    full = f"{heavy}?init_command=PRAGMA%20max_page_count={pages}"
    done = commands.run(*MANAGE, DATABASE_URL=full)
    assert failed(done) == "database or disk is full"
    the_next_run_does_the_rest()


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_full_disk(commands, heavy):
    """The system's limit on the size of a file, met in the midst of a write."""
    file = Path(connection.settings_dict["NAME"])
    blocks = (file.stat().st_size + BALLAST * 3 // 2) // 512
    script = f"ulimit -f {blocks}; exec {shlex.join(MANAGE)}"
    done = commands.run("/bin/sh", "-c", script, DATABASE_URL=heavy)
    assert failed(done) == "disk I/O error"
    the_next_run_does_the_rest()


@pytest.mark.engines("postgresql")
def test_full_server(commands, url):
    """The error of a full disk, from the second batch on."""
    books.execute(
        """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF new.number > 1 THEN
                RAISE EXCEPTION 'could not extend file "base/1"' USING ERRCODE = '53100',
                    HINT = 'Check free disk space.';
            END IF;
            RETURN new; END $$""",
        """CREATE TRIGGER full_disk BEFORE INSERT ON runbook_jobs_batch
            FOR EACH ROW EXECUTE FUNCTION full_disk()""",
    )
    done = commands.run(*MANAGE, DATABASE_URL=url)
    assert failed(done) == 'could not extend file "base/1"'
    books.execute("DROP TRIGGER full_disk ON runbook_jobs_batch")
    the_next_run_does_the_rest()


READ_ONLY = {
    "sqlite": ("?init_command=PRAGMA%20query_only=1", "attempt to write a readonly database"),
    "postgresql": (
        "&options=-c%20default_transaction_read_only%3Don",
        "cannot execute UPDATE in a read-only transaction",
    ),
}


def test_read_only_database(commands, url, engine):
    """Nothing can be written, a run in the ledger neither: one line says so."""
    option, reason = READ_ONLY[engine]
    if "?" not in url:
        option = option.replace("&", "?")
    done = commands.run(*MANAGE, DATABASE_URL=url + option)
    assert (done.code, done.out) == (1, "Search for old trial accounts...\n")
    assert done.err == (
        f"Database: {reason}. Check DATABASE_URL and the server; --traceback shows more.\n"
    )
    assert not Run.objects.exists()
    assert Account.objects.filter(status=Account.TRIAL_EXPIRED).count() == 0
    the_next_run_does_the_rest()
