"""`manage.py migrate`: Django's own, with the near names for one that does not exist."""

from django.core.management.commands.migrate import Command as DjangoCommand

from ops.schema.suggestions import Suggesting


class Command(Suggesting, DjangoCommand):
    """Takes Django's options."""
