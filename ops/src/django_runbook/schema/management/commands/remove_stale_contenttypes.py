"""`manage.py remove_stale_contenttypes`: Django's own, with the guard before it."""

from django_runbook.schema.guard.commands import guarded

Command = guarded(
    "django.contrib.contenttypes.management.commands.remove_stale_contenttypes",
    "Delete the content types of models that are gone from",
)
