"""`manage.py delete_squashed_migrations`: django-extensions', with the guard before it."""

from django_runbook.schema.guard.commands import guarded

Command = guarded(
    "django_extensions.management.commands.delete_squashed_migrations",
    "Delete the files of squashed migrations, applied to",
)
