"""Runs the second transition."""

from django.utils import timezone

from django_runbook.jobs import JobCommand, run_transition
from nights.jobs import REST_USERS


class Command(JobCommand):
    """A job like any other."""

    def handle(self, *_args, **options):
        """Run it."""
        with self.running(options) as run:
            done = run_transition(
                REST_USERS, now=timezone.now(), order=run.order, stop=run.stop, watch=run.watch
            )
        self.finish(done.status, done.reason, done.warnings)
