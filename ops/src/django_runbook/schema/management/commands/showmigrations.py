"""`manage.py showmigrations`: Django's own, with the near names for one that does not exist."""

from django.core.management.commands.showmigrations import Command as DjangoCommand

from django_runbook.schema.history.near_names import Suggesting


class Command(Suggesting, DjangoCommand):
    """Takes Django's options."""
