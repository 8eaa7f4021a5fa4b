"""The product's backfill: a display name for whoever has given none."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.samples import create_sample_accounts
from django_runbook.jobs import run_transition
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.models import Run
from tests.factories import UserFactory
from users.jobs import FILL_DISPLAY_NAMES
from users.models import Profile, User

pytestmark = pytest.mark.django_db

PEOPLE = [
    ({"first_name": "Ada", "last_name": "Lovelace"}, "", "Ada Lovelace"),
    ({"first_name": "Ada", "last_name": ""}, "", "Ada"),
    ({"first_name": "", "last_name": "Lovelace"}, "", "Lovelace"),
    ({"first_name": " ", "last_name": ""}, "", "{username}"),
    ({"first_name": "", "last_name": ""}, "", "{username}"),
    ({"first_name": "Ada", "last_name": "Lovelace"}, "Countess", "Countess"),
    ({"first_name": "x" * 150, "last_name": "y" * 150}, "", "x" * 150),
    ({"first_name": "Ünï", "last_name": "Ö'Brien"}, "", "Ünï Ö'Brien"),
]


def people():
    """Create the users with their profiles."""
    for names, called, _ in PEOPLE:
        Profile.objects.create(user=UserFactory(**names), display_name=called)


def names():
    """Return the display names in the order of the profiles."""
    return list(Profile.objects.order_by("pk").values_list("display_name", flat=True))


def test_fills_the_names_that_nobody_has_given():
    """First and last name, without what is missing; else the user name; cut to the column."""
    people()
    out = StringIO()
    call_command("fill_display_names", stdout=out)
    assert out.getvalue() == "Changed 7 profile(s)\n"
    users = User.objects.order_by("profile__pk")
    expected = [
        name.format(username=user.username) for user, (*_, name) in zip(users, PEOPLE, strict=True)
    ]
    assert names() == expected
    out = StringIO()
    call_command("fill_display_names", stdout=out)
    assert out.getvalue() == "Changed 0 profile(s)\n"


def test_undo_leaves_those_who_have_chosen_since():
    """A name that somebody has given after the fill is theirs."""
    people()
    now = timezone.now()
    run = run_transition(FILL_DISPLAY_NAMES, now=now).run
    Profile.objects.filter(display_name="Ada").update(display_name="Countess")
    done = undo_run(run)
    assert (done.restored, done.changed) == (6, 7)
    assert names() == ["", "Countess", "", "", "", "Countess", "", ""]
    assert Run.objects.get(pk=run).change == {
        "model": "users.profile",
        "was": {"display_name": ""},
        "to": {},
        "kept": ["display_name"],
    }


def test_dry_run_shows_some():
    """Before and after, and nothing is changed."""
    people()
    out = StringIO()
    call_command("fill_display_names", "--dry-run", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("Would change 7 profile(s) that are due at 20")
    first = Profile.objects.order_by("pk")[0].pk
    assert lines[1:3] == ["The first 7:", f'{first}: display_name "" -> "Ada Lovelace"']
    assert names().count("") == 7


def test_samples_have_names():
    """Some have given none, and some have said how they want to be called."""
    create_sample_accounts(100, now=timezone.now())
    assert Profile.objects.count() == 100
    assert User.objects.filter(first_name="", last_name="").exists()
    assert 50 < Profile.objects.filter(display_name="").count() < 100
    assert run_transition(FILL_DISPLAY_NAMES, now=timezone.now()).status == "SUCCEEDED"
    assert not Profile.objects.filter(display_name="").exists()
