"""Every labelled migration: what is dangerous about each, or that it is harmless."""

from tests.ops.schema.review.cases import Case, install
from tests.ops.schema.review.rules.harmless import HARMLESS
from tests.ops.schema.review.rules.hazards import HAZARDS

CASES: tuple[Case, ...] = (*HAZARDS, *HARMLESS)
__all__ = ["CASES", "Case", "install"]
