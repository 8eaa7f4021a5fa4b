"""The product's settings, with an app more."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as ALL

INSTALLED_APPS = [*ALL, "nights"]
