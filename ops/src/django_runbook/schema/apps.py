"""Django's entry to the schema app."""

from django.apps import AppConfig


class SchemaConfig(AppConfig):
    name = "django_runbook.schema"
    label = "runbook_schema"  # no project's own `schema` app may clash with it
