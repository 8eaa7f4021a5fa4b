"""Old and new values of a row as the ledger's JSON keeps them, and back, without a loss.

A value is taken as the database has it (``get_prep_value``). What JSON has is kept as it is, what
is more is kept as text: times to the microsecond, decimals with their zeros, bytes in base64.
"""

import base64
import datetime
import decimal
import json
import math
import uuid
from collections.abc import Callable
from typing import Any

from django.db import models
from django.utils.duration import duration_string

#: Fields of Django's whose value is one of those that ``encode`` knows; others must have a text
#: form of their own (``value_to_string``), as PostgreSQL's arrays and ranges have.
KNOWN = (
    models.BinaryField,
    models.BooleanField,
    models.CharField,
    models.DateField,
    models.DecimalField,
    models.DurationField,
    models.FileField,
    models.FilePathField,
    models.FloatField,
    models.GenericIPAddressField,
    models.IntegerField,
    models.JSONField,
    models.TextField,
    models.TimeField,
    models.UUIDField,
)
#: Others that are read and written as text.
TEXTS = ("SearchVectorField",)
#: How a value is spelt that JSON has not.
SPELT: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (decimal.Decimal, "{:f}".format),
    ((datetime.date, datetime.time), lambda value: value.isoformat()),
    (datetime.timedelta, duration_string),
    ((bytes, bytearray, memoryview), lambda value: base64.b64encode(bytes(value)).decode("ascii")),
    (uuid.UUID, str),
)


def unkept(field: Any) -> str:
    """Say why the values of a field cannot be kept; empty where they can."""
    if not getattr(field, "concrete", False) or field.many_to_many:
        return "it is no column of the table"
    if field.primary_key:
        return "it is the primary key"
    if getattr(field, "generated", False):
        return "the database computes it"
    field = _plain_field(field)
    own = type(field).value_to_string is not models.Field.value_to_string
    if isinstance(field, KNOWN) or own or type(field).__name__ in TEXTS:
        return ""
    return f"{type(field).__name__} has no text form"


def encode(field: Any, value: Any) -> Any:
    """Return a value of a field as JSON keeps it. Raises ``TypeError`` where there is no way."""
    if value is None:
        return None
    field = _plain_field(field)
    if isinstance(field, models.JSONField):
        return json.loads(json.dumps(value, cls=field.encoder))
    if isinstance(field, KNOWN) or type(field).__name__ in TEXTS:
        return _as_json(field.get_prep_value(value))
    row = field.model()
    setattr(row, field.attname, value)
    return field.value_to_string(row)


def decode(field: Any, value: Any) -> Any:
    """Return the value that was encoded, as the field's own in Python."""
    if value is None:
        return None
    field = _plain_field(field)
    if isinstance(field, models.JSONField):
        return json.loads(json.dumps(value), cls=field.decoder)
    if isinstance(field, models.BinaryField):
        return base64.b64decode(value)
    return field.to_python(value)


def _plain_field(field: Any) -> Any:
    """Return the field itself; of a key to another table, the field that it points to."""
    while field.remote_field and getattr(field, "target_field", None) is not None:
        field = field.target_field
    return field


def _as_json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bool | int | float | str):
        return value
    for kinds, spelt in SPELT:
        if isinstance(value, kinds):
            return spelt(value)
    raise TypeError(f"A {type(value).__name__} has no form in JSON.")
