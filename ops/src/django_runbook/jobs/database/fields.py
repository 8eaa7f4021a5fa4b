"""Fields of the ledger for text from outside: who, why, and what a command printed.

To migrations they are Django's own fields: no schema shows what they add.
"""

from collections.abc import Sequence
from typing import Any

from django.db import models

from django_runbook.text.cleaning import storable


class ForeignText(models.TextField):  # type: ignore[type-arg]  # only the stubs are generic
    """A text, in which what no database can keep is escaped."""

    def get_prep_value(self, value: Any) -> Any:
        """Return what is stored."""
        value = super().get_prep_value(value)
        return storable(value) if isinstance(value, str) else value

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Return Django's own field."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs


class ForeignLine(models.CharField):  # type: ignore[type-arg]  # only the stubs are generic
    """A text of limited length, cut to it: a long user name must not keep a job from running."""

    def get_prep_value(self, value: Any) -> Any:
        """Return what is stored."""
        value = super().get_prep_value(value)
        return storable(value)[: self.max_length] if isinstance(value, str) else value

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Return Django's own field."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs
