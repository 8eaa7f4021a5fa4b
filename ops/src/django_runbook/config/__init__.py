"""`[tool.django-runbook]` of pyproject.toml as frozen dataclasses. Standard library only."""

from django_runbook.config.jobs import Job
from django_runbook.config.keys import ConfigError
from django_runbook.config.notify import Notify
from django_runbook.config.project import Config, find_root, load, of_settings
from django_runbook.config.schedule import Schedule

__all__ = [
    "Config",
    "ConfigError",
    "Job",
    "Notify",
    "Schedule",
    "find_root",
    "load",
    "of_settings",
]
