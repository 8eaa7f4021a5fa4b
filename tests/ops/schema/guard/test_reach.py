"""Commands that another app serves are not guarded, and the doctor says so."""

import pytest
from django.core.management import get_commands

from django_runbook.schema import diagnosis
from django_runbook.schema.guard import reach


@pytest.fixture
def other_first(monkeypatch):
    """Let another app stand above the kit in INSTALLED_APPS."""
    served = {
        **get_commands(),
        "reset_db": "django_extensions",
        "reset_schema": "django_extensions",
    }
    monkeypatch.setattr(reach, "get_commands", lambda: served)


def test_every_command_of_this_product_is_the_kits_own():
    """The kit stands first here."""
    assert list(reach.unguarded()) == []
    assert list(diagnosis._guard()) == []


def test_doctor_names_what_is_not_guarded(other_first):
    """One line for each app, with what mends it."""
    assert list(reach.unguarded()) == [
        ("reset_db", "django_extensions"),
        ("reset_schema", "django_extensions"),
    ]
    [line] = map(str, diagnosis._guard())
    assert line == (
        "WRONG  guard       reset_db and 1 more of django_extensions are not guarded  ->  "
        'put "django_runbook.schema" above it in INSTALLED_APPS'
    )
