"""`manage.py set_fake_passwords`: django-extensions', with the guard before it."""

from django_runbook.schema.guard.commands import guarded

Command = guarded(
    "django_extensions.management.commands.set_fake_passwords",
    "Give every user another password in",
)
