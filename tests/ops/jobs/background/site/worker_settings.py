"""The product's settings, with tasks that a worker takes from the database."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as ALL

INSTALLED_APPS = [*ALL, "nights", "labour", "django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django_tasks_db": {"handlers": ["console"], "level": "WARNING"}},
}
