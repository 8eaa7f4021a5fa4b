"""Words that several texts share."""

from collections.abc import Sequence

from django_runbook.text.cleaning import one_line


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 row`` or ``2,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def first(names: Sequence[str]) -> str:
    """Return the first name and how many more there are; nothing for no names."""
    return "".join(names[:1]) + (f" and {len(names) - 1} more" if names[1:] else "")


def flat(text: str | None) -> str:
    """Return a text on one line, cleaned; nothing for none."""
    return one_line(text or "")


def detail(definition: str | None) -> str:
    """Return, behind a colon, a definition that says more than what the thing is."""
    return f": {flat(definition)}" if definition and definition != "table" else ""
