"""`manage.py drop_test_database`: django-extensions', with the guard before it."""

from django_runbook.schema.guard.commands import guarded

Command = guarded(
    "django_extensions.management.commands.drop_test_database", "Drop the test database beside"
)
