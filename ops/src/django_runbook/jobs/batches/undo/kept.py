"""The values that a batch keeps of its rows: read as what a field can be, and nothing else."""

import decimal
from typing import Any

from django.core.validators import DecimalValidator
from django.db import DEFAULT_DB_ALIAS, connections, models

from django_runbook.jobs.batches.rows import values
from django_runbook.jobs.errors import BrokenLedgerError
from django_runbook.jobs.models import LARGEST, Batch
from django_runbook.text.cleaning import storable


def kept_values(batch: Batch, column: Any, fields: list[Any]) -> list[list[Any]]:
    """Return what the rows of a batch were, or became: for each a list, in the order of the fields.

    Raises ``BrokenLedgerError`` for what they cannot have been.
    """
    if not isinstance(column, list):
        raise BrokenLedgerError(f"{batch} holds no list of values")
    connection = connections[batch._state.db or DEFAULT_DB_ALIAS]
    for row in column:
        if not isinstance(row, list) or len(row) != len(fields):
            raise BrokenLedgerError(f"{batch} holds not one value for each field")
        for field, value in zip(fields, row, strict=True):
            _require(batch, field, value, connection)
    return column


def _require(batch: Batch, field: Any, value: Any, connection: Any) -> None:
    """Raise ``BrokenLedgerError`` for what is no value of the field as the ledger writes it."""
    try:
        read = values.decode(field, value)
        same = values.encode(field, read) == value
        right = field.null if value is None else same and _is_held(field, read, connection)
    except Exception as error:  # whatever a project's own field raises
        raise BrokenLedgerError(f"{batch} holds no value of {field.name}") from error
    if not right:
        raise BrokenLedgerError(f"{batch} holds no value of {field.name}")


def _is_held(field: Any, value: Any, connection: Any) -> bool:
    """Tell whether a column of the database can hold a value, as far as its type says so.

    What the project's own validators think does not matter: it stood there before they did.
    """
    if isinstance(value, str):
        strict = connection.vendor != "sqlite" and isinstance(field, models.CharField)
        return storable(value) == value and not (strict and len(value) > (field.max_length or 0))
    if isinstance(value, decimal.Decimal) and isinstance(field, models.DecimalField):
        DecimalValidator(field.max_digits, field.decimal_places)(value)
    if type(value) is int:
        name = field.get_internal_type()
        whole = isinstance(field, models.IntegerField)
        least, most = connection.ops.integer_field_range(name) if whole else (None, None)
        return (
            (-LARGEST if least is None else least) <= value <= (LARGEST if most is None else most)
        )
    return True
