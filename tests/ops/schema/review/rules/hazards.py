"""Dangerous migrations, each with the rule that must find it."""

from tests.ops.schema.review.rules.hazards_columns import COLUMNS, NAMES
from tests.ops.schema.review.rules.hazards_locks import INDEXES, TRANSACTIONS
from tests.ops.schema.review.rules.hazards_rows import ROWS

HAZARDS = (*NAMES, *COLUMNS, *INDEXES, *TRANSACTIONS, *ROWS)
