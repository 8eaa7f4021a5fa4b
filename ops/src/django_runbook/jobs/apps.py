"""Django's entry to the jobs app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from django_runbook.jobs.checks import register_checks


class JobsConfig(AppConfig):
    name = "django_runbook.jobs"
    label = "runbook_jobs"
    verbose_name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let each app register the transitions in its ``jobs`` module, and Django check."""
        autodiscover_modules("jobs")
        register_checks()
