"""Reads of the users and their profiles."""

from django.db.models import F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat, Left, NullIf, Trim

from users.models import Profile, User

LONGEST = 150  # characters that the column holds


def nameless_profiles() -> QuerySet[Profile]:
    """Return the profiles without a display name."""
    return Profile.objects.filter(display_name="")


def full_name_of_user() -> Subquery:
    """Return the first and last name of a profile's user, or the user name where there is none."""
    full = NullIf(Trim(Concat(F("first_name"), Value(" "), F("last_name"))), Value(""))
    name = Left(Coalesce(full, F("username")), LONGEST)
    return Subquery(User.objects.filter(pk=OuterRef("user_id")).values_list(name))
