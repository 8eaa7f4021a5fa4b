"""`manage.py syncdata`: django-extensions', with the guard before it."""

from django_runbook.schema.guard.commands import guarded

Command = guarded(
    "django_extensions.management.commands.syncdata",
    "Load rows into, and delete every other row of their tables in",
)
