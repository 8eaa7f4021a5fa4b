"""`manage.py fill_display_names`: the backfill of the names to show."""

from django_runbook.jobs import TransitionCommand
from users.jobs import FILL_DISPLAY_NAMES


class Command(TransitionCommand):
    """All of it is the kit's."""

    help = "Fill the display names that nobody has given with the users' own names"
    transition = FILL_DISPLAY_NAMES
