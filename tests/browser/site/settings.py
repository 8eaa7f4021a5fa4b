"""The product's settings, with workers in the database and a strict Content-Security-Policy."""

import os
import socket

import django

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS, MIDDLEWARE

if host := os.environ.get("SITE_HOST"):  # for pictures, which are the same on any machine
    socket.gethostname = lambda: host

#: Django 6 has the tasks itself.
TASKS_OF = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "tests.browser.site.slow",
    *([] if TASKS_OF == "django.tasks" else ["django_tasks"]),
    "django_tasks_db",
]
MIDDLEWARE = ["tests.browser.site.policy.strict", *MIDDLEWARE]
ROOT_URLCONF = "tests.browser.site.urls"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
TASKS = {
    "default": {"BACKEND": f"{TASKS_OF}.backends.immediate.ImmediateBackend"},
    "runbook": {"BACKEND": "django_tasks_db.DatabaseBackend"},
}
