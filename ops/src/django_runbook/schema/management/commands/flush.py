"""`manage.py flush`: Django's own, with the guard before it."""

from django_runbook.schema.guard.commands import guarded

Command = guarded("django.core.management.commands.flush", "Delete every row of")
