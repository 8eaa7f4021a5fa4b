"""Numbers that people type, within what a database can hold."""

from argparse import ArgumentTypeError
from collections.abc import Callable

MOST = 2**63 - 1  # of a BIGINT, and of a key
SHOWN = 40  # characters of what is no number


def whole(*, least: int = 0, most: int = MOST) -> Callable[[str], int]:
    """Return what reads a whole number within these limits, for argparse.

    It raises ``ArgumentTypeError`` with the text and the limits for any other.
    """

    def read(text: str) -> int:
        digits = len(text) <= len(str(MOST)) and text.isdecimal()
        if not digits or not least <= int(text) <= most:
            short = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
            if text.isdecimal() and (not digits or int(text) > most == MOST):
                raise ArgumentTypeError(f"'{short}' is too large")
            limits = f"of at least {least}" if most == MOST else f"from {least} to {most}"
            raise ArgumentTypeError(f"'{short}' is not a whole number {limits}")
        return int(text)

    return read
