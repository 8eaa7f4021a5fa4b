"""`manage.py fill_slowly`: a backfill that can be watched."""

from django_runbook.jobs import TransitionCommand
from tests.browser.site.slow.jobs import FILL_SLOWLY


class Command(TransitionCommand):
    """All of it is the kit's."""

    help = "Fill the display names that nobody has given, slowly"
    transition = FILL_SLOWLY
