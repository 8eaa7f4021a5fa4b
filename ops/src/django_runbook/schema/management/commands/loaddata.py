"""`manage.py loaddata`: Django's own, with the guard before it."""

from django_runbook.schema.guard.commands import guarded

Command = guarded("django.core.management.commands.loaddata", "Load rows into")
