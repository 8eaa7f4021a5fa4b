"""Fields of the ledger: text from outside (who, why, what a command printed), and many keys.

To migrations those for text are Django's own fields: no schema shows what they add.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.db import models

from django_runbook.text.cleaning import storable

#: Types of PostgreSQL's keys that an array of bigint holds.
WHOLE = {"smallint", "integer", "bigint"}


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


class Numbers(models.Field):  # type: ignore[type-arg]  # only the stubs are generic
    """A list of whole numbers: eight bytes each in an array of PostgreSQL, JSON elsewhere."""

    def db_type(self, connection: Any) -> str | None:
        """Return the type of the column."""
        if connection.vendor == "postgresql":
            return "bigint[]"
        of_json: str = connection.data_types["JSONField"]
        return of_json

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Return what the driver is handed."""
        if value is None or connection.vendor == "postgresql":
            return value
        return json.dumps(value)

    def from_db_value(self, value: Any, _expression: Any, _connection: Any) -> Any:
        """Return the list, or what stands there in its place."""
        try:
            found: Any = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            found = value  # as Django's own JSONField does
        return found
