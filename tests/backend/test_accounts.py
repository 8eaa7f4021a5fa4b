"""The account: opened with its user, guarded by the database, open as long as its clock says."""

import datetime

import pytest
from django.core import serializers
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.errors import RefusedError
from accounts.models import Account, Status
from accounts.samples import create_sample_accounts
from accounts.selectors import count_by_status
from tests.factories import AccountFactory, UserFactory
from users.models import Profile, User

pytestmark = pytest.mark.django_db

NOW = datetime.datetime(2026, 3, 1, 4, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
INSTANT = datetime.timedelta(microseconds=1)


def test_opened_with_the_user():
    """A new user has an account in trial, created now."""
    before = timezone.now()
    account = UserFactory().account
    assert account.status == Account.TRIALING
    assert before <= account.created <= timezone.now()


def test_saving_the_user_again_opens_no_second_account():
    """One account for each user."""
    user = UserFactory()
    user.save()
    assert Account.objects.filter(user=user).count() == 1


def test_loaded_users_bring_their_own_account():
    """``loaddata`` opens none: the fixture holds it."""
    text = serializers.serialize("json", [User(pk=900, username="loaded")])
    for loaded in serializers.deserialize("json", text):
        loaded.save()
    assert not Account.objects.filter(user_id=900).exists()


@pytest.mark.parametrize("status", ["", "TRIAL", "UNKNOWN"])
def test_database_refuses_an_unknown_status(status):
    """A status that the code does not know cannot be stored, whoever writes it."""
    account = AccountFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=account.pk).update(status=status)


def test_database_refuses_a_second_account():
    """One account for each user, whoever writes it."""
    user = UserFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.create(user=user)


def test_articles_names_work():
    """``Account.TRIALING`` and the others are the stored values."""
    assert [str(getattr(Account, name)) for name in Status.names] == list(Status.values)


def test_trial_ends_without_the_grace():
    """The user is told 60 days; the day of grace is a silent one."""
    assert AccountFactory(created=NOW).trial_ends_at == NOW + 60 * DAY


@pytest.mark.parametrize(
    ("age", "access"),
    [(0 * DAY, True), (60 * DAY, True), (61 * DAY, True), (61 * DAY + INSTANT, False)],
)
def test_access_of_a_trial_ends_by_the_clock(age, access):
    """A trial is closed to the instant, whether the daily job has run or not."""
    account = AccountFactory(status=Account.TRIALING, created=NOW - age)
    assert account.has_access(NOW) is access


@pytest.mark.parametrize(
    ("status", "access"),
    [
        (Account.EXEMPT, True),
        (Account.ACTIVE, True),
        (Account.PAST_DUE, True),
        (Account.CANCELED, False),
        (Account.TRIAL_EXPIRED, False),
    ],
)
def test_access_beyond_the_trial_is_the_status(status, access):
    """Whoever pays or is exempt has access at any age; who has ended has none."""
    assert AccountFactory(status=status, created=NOW - 999 * DAY).has_access(NOW) is access
    assert AccountFactory(status=status, created=NOW).has_access(NOW) is access


def test_names_in_the_admin():
    """Accounts and profiles are shown with their user's name."""
    account = AccountFactory(user__username="ada")
    assert str(account) == "ada (trialing)"
    assert str(Profile(user=account.user)) == "ada"
    assert str(Profile(user=account.user, display_name="Ada L.")) == "Ada L."


def test_sample_accounts_are_repeatable_and_leave_work_to_do():
    """The same call makes the same accounts, in every status, with some overdue."""
    assert create_sample_accounts(300, now=NOW) == 300
    counts = count_by_status()
    overdue = Account.objects.filter(status=Account.TRIALING, created__lt=NOW - 61 * DAY).count()
    assert sum(counts.values()) == User.objects.count() == 300
    assert min(counts.values()) > 0
    assert 0 < overdue < counts["TRIALING"]
    User.objects.all().delete()
    create_sample_accounts(300, now=NOW)
    assert count_by_status() == counts


def test_sample_accounts_never_mix_with_real_ones():
    """Where accounts exist, none is added."""
    AccountFactory()
    with pytest.raises(RefusedError, match="holds accounts already"):
        create_sample_accounts(3, now=NOW)
    assert Account.objects.count() == 1
