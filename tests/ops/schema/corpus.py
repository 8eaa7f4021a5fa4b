"""Every labelled migration: what is dangerous about each, or that it is harmless."""

from tests.ops.schema.cases import Case, install
from tests.ops.schema.harmless import HARMLESS
from tests.ops.schema.hazards import HAZARDS

CASES: tuple[Case, ...] = (*HAZARDS, *HARMLESS)
__all__ = ["CASES", "Case", "install"]
