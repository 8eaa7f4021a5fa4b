"""The custom user and its profile."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person who can log in. Custom from the start: Django cannot change it later."""


class Profile(models.Model):
    """What a user tells about themselves."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile"
    )
    display_name = models.CharField(max_length=150, blank=True)

    def __str__(self) -> str:
        """Return the name to show, which is the user name where none was given."""
        return self.display_name or self.user.get_username()
