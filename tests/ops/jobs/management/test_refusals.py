"""A run that is not there and a ledger without tables end in one line."""

import pytest
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.jobs.models import Run
from tests.factories import AccountFactory
from tests.ops.jobs.management.printed import failed, run


def test_unknown_run_is_one_line(empty):
    """With the place to look; exit code 1."""
    message = "There is no run 7. See 'inv jobs.history'."
    assert failed("show_run", "7") == (1, message, "")
    assert failed("show_run", "7", "--ids") == (1, message, "")
    assert failed("undo_run", "7") == (1, message, "")


READERS = [
    ("list_jobs",),
    ("job_history",),
    ("show_run", "1"),
    ("job_status",),
    ("explain_job", "ada"),
]


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("argv", READERS, ids=" ".join)
def test_ledger_without_tables_is_refused(db, argv):
    """The migration is named; another app's that is missing does not matter to who only reads."""
    AccountFactory(user__username="ada")
    Run.objects.create(pk=1, job="expire_trials")
    MigrationRecorder.Migration.objects.filter(app="users", name="0003_profile").delete()
    run(*argv)
    MigrationRecorder.Migration.objects.filter(app="runbook_jobs").delete()
    message = "runbook_jobs.0001_initial is not applied. Run 'inv db.migrate' first."
    assert failed(*argv) == (3, message, "")
