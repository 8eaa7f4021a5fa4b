"""Where a dump comes from, as the server itself says."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Origin:
    """``server`` names it for people; ``system`` is what it alone has, where it says so.

    ``warning`` says what the program that made the dump was not told.
    """

    server: str
    system: str = ""
    warning: str = ""
