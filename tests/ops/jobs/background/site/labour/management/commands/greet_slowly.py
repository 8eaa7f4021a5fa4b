"""`manage.py greet_slowly`: the job."""

from django_runbook.jobs import TransitionCommand
from labour.jobs import GREET_SLOWLY


class Command(TransitionCommand):
    """All of it is the kit's."""

    transition = GREET_SLOWLY
