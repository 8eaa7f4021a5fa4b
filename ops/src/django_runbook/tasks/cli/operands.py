"""Positional words of a management command, and what is said where one is missing."""

from invoke import Exit

APP = "The app's label."


def words(*values: str | None) -> list[str]:
    """Return the positional words that were given, where none can be taken for an option."""
    given = [value for value in values if value is not None]
    for value in given:
        if value.startswith("-"):
            raise Exit(f"'{value}' begins with '-': it is no name.", code=2)
    return given


def need(first: str | None, second: str | None, example: str) -> None:
    """Raise ``Exit`` with code 2 and an example where a word is missing."""
    if not first or not second:
        raise Exit(f"Something is missing, as in: {example}", code=2)
