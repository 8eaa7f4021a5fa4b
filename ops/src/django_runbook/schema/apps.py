"""Django's entry to the schema app."""

from django.apps import AppConfig


class SchemaConfig(AppConfig):
    name = "django_runbook.schema"
    label = "runbook_schema"  # no project's own `schema` app may clash with it

    def ready(self) -> None:
        """Let no command but migrate and its like make an SQLite file."""
        from django_runbook.schema.database.files import guard_files

        guard_files()
