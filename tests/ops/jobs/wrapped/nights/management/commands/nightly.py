"""Calls two jobs, as scripts for the night do."""

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """A command that is no job of the kit's."""

    def handle(self, *_args, **_options):
        """Call both."""
        call_command("rest_users", allow=1_000, reason="nightly")
        call_command("expire_trials", allow=1_000, reason="nightly")
