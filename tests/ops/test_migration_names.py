"""Files of migrations by the names that commands take."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.commands import ROOT


def test_names_are_labels_not_folders():
    """A line for each file, in the order given: `ops/jobs` is the app `ops_jobs`."""
    out = StringIO()
    files = ("ops/jobs/migrations/0001_initial.py", "backend/users/migrations/0003_profile.py")
    call_command("migration_names", *(ROOT / file for file in files), stdout=out)
    assert out.getvalue() == "ops_jobs 0001_initial\nusers 0003_profile\n"


def test_other_file_is_refused():
    """A file that is no migration ends it, and is named."""
    with pytest.raises(CommandError, match=r"tasks\.py is no migration of an installed app"):
        call_command("migration_names", ROOT / "tasks.py")
