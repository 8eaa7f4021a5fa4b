"""The product's settings, fed with fixed values, whatever this machine's environment says."""

import os
from unittest import mock

VALUES = {
    "ENV_FILE": os.devnull,
    "ENVIRONMENT": "test",
    "DEBUG": "false",
    "SECRET_KEY": "only-for-tests",
    "DATABASE_URL": "sqlite://:memory:",
}

with mock.patch.dict(os.environ, VALUES, clear=True):
    from project.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
