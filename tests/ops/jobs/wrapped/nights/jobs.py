"""A second transition: users whose keys are those of accounts as well."""

import datetime

from django.contrib.auth import get_user_model

from django_runbook.jobs import Transition, register


def users():
    """Return all users."""
    return get_user_model().objects.all()


REST_USERS = register(
    Transition(
        job="rest_users",
        cutoff=lambda at: at - datetime.timedelta(days=1),
        due=lambda cutoff: users().filter(is_active=True, date_joined__lt=cutoff),
        population=users,
        since="date_joined",
        was={"is_active": True},
        to={"is_active": False},
    )
)
