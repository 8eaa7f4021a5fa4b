"""`manage.py reset_schema`: django-extensions', with the guard before it."""

from django_runbook.schema.guard.commands import guarded

Command = guarded("django_extensions.management.commands.reset_schema", "Drop every table of")
