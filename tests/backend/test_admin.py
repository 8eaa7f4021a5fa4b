"""The admin: both models can be searched and filtered, and trials show their end."""

import datetime

import pytest

from accounts.models import Account
from tests.factories import AccountFactory
from users.models import User

pytestmark = pytest.mark.django_db

CREATED = datetime.datetime(2026, 3, 1, 4, 0, tzinfo=datetime.UTC)


@pytest.fixture
def admin(client, settings):
    """Return a client that is logged in as a superuser, over plain HTTP."""
    settings.SECURE_SSL_REDIRECT = False
    settings.ALLOWED_HOSTS = ["testserver"]
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_accounts_show_when_the_trial_ends(admin):
    """Who is in trial, or was, has an end in the list; who pays has none."""
    AccountFactory(user__username="trial", created=CREATED)
    AccountFactory(user__username="payer", created=CREATED, status=Account.ACTIVE)
    page = admin.get("/admin/accounts/account/").content.decode()
    rows = {
        name: page.partition(f">{name}<")[2].partition("</tr>")[0] for name in ("trial", "payer")
    }
    assert "April 30, 2026, 4 a.m." in rows["trial"]
    assert "April 30" not in rows["payer"]


def test_accounts_can_be_searched_and_filtered(admin):
    """By the user's name and by status."""
    AccountFactory(user__username="ada")
    AccountFactory(user__username="bob", status=Account.ACTIVE)
    found = admin.get("/admin/accounts/account/?q=ada").content.decode()
    active = admin.get("/admin/accounts/account/?status__exact=ACTIVE").content.decode()
    assert (">ada<" in found, ">bob<" in found) == (True, False)
    assert (">ada<" in active, ">bob<" in active) == (False, True)


def test_account_page_opens_and_none_can_be_added(admin):
    """An account is opened with its user, never by hand."""
    account = AccountFactory()
    assert admin.get(f"/admin/accounts/account/{account.pk}/change/").status_code == 200
    assert admin.get("/admin/accounts/account/add/").status_code == 403


def test_users_can_be_searched_and_carry_their_profile(admin):
    """The user's page holds the profile."""
    user = AccountFactory(user__username="ada").user
    assert ">ada<" in admin.get("/admin/users/user/?q=ada&is_staff__exact=0").content.decode()
    assert (
        "profile-0-display_name"
        in admin.get(f"/admin/users/user/{user.pk}/change/").content.decode()
    )
