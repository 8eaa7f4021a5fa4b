"""A path that the user typed means the folder in which they stand, wherever the command runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

#: The options of each management command that take a path; "" is for its plain words.
PATHS = {
    "backup": ("--output",),
    "dumpdata": ("--output", "-o"),
    "plan_migrations": ("--comment", "--sizes"),
    "restore": ("",),
    "squash": ("--applied",),
}
#: The option whose path stands behind a name, as in ``--applied=production=FILE``.
NAMED = "--applied"
#: Other options whose value is the next word, and so is no plain word.
VALUES = ("--confirm", "--database", "--pythonpath", "--settings", "--verbosity", "-v")
SHORTEST = len("--x")


def absolute(arguments: Sequence[str], folder: Path) -> list[str]:
    """Return a management command's words with every relative path in ``folder``.

    ``run_job`` has those of the command that it wraps.
    """
    for place, word in enumerate(arguments[: None if "run_job" in arguments[:1] else 1]):
        if word in PATHS:
            own, words = arguments[: place + 1], arguments[place + 1 :]
            return [*own, *_absolute(words, PATHS[word], folder)]
    return list(arguments)


def _absolute(words: Sequence[str], options: Sequence[str], folder: Path) -> Iterator[str]:
    before = ""
    for word in words:
        name, equals, value = word.partition("=")
        if option := _option(before, options):
            yield _path(option, word, folder)
        elif before in VALUES:
            yield word
        elif equals and (option := _option(name, options)):
            yield f"{name}={_path(option, value, folder)}"
        elif "" in options and not word.startswith("-"):
            yield _path("", word, folder)
        else:
            yield word
        # a word that was a value is before nothing
        before = "" if before in VALUES or _option(before, options) else word


def _option(word: str, options: Sequence[str]) -> str:
    """Return the option that a word is or, as argparse allows, how it begins; else nothing."""
    long = word.startswith("--") and len(word) >= SHORTEST
    return next(
        (each for each in options if each and (word == each or (long and each.startswith(word)))),
        "",
    )


def _path(option: str, value: str, folder: Path) -> str:
    name, equals, file = value.partition("=")
    if option == NAMED:
        return f"{name}{equals}{_path('', file, folder)}"
    return value if value in {"", "-"} else str(folder / value)
