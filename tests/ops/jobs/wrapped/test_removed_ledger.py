"""A command that removes the ledger from under its own run: one true line, and its own code."""

import re

import pytest

pytestmark = pytest.mark.slow
ENDED = re.compile(r"^Run 1 of (\w+): succeeded after [\d.]+ s$")


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("flush", ("--no-input",)),
        ("migrate", ("runbook_jobs", "zero", "--verbosity=0")),
        ("reset_db", ("--noinput", "--close-sessions")),
        ("reset_db", ("--noinput", "--close-sessions", "--migrate")),
    ],
)
def test_run_that_is_not_in_the_ledger_is_told(commands, database_url, job, words):
    """Rows, tables, or the whole database: the supervisor says that it has nothing to close."""
    done = commands.manage("run_job", job, "--", *words, DATABASE_URL=database_url)
    assert done.code == 0, done
    said, ended = done.err.splitlines()[-2:]
    assert said == f"Run 1 is not in the ledger: {job} has removed it."
    assert ENDED.fullmatch(ended)[1] == job
