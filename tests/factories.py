"""Makes users and accounts for tests."""

from typing import Any

import factory

from accounts.models import Account
from users.models import User


class UserFactory(factory.django.DjangoModelFactory[User]):
    """A user; the account is opened with it."""

    username = factory.Sequence("user{}".format)

    class Meta:
        model = User


class AccountFactory(factory.django.DjangoModelFactory[Account]):
    """The account that was opened with its user, with the values given."""

    user = factory.SubFactory(UserFactory)

    class Meta:
        model = Account

    @classmethod
    def _create(cls, *_args: Any, **kwargs: Any) -> Account:
        account: Account = kwargs.pop("user").account
        for name, value in kwargs.items():
            setattr(account, name, value)
        account.save()
        return account
