r"""Makes text from outside harmless: what steers a terminal, a database or a CI service is shown.

A name in a database, a reason, a user name, the output of a command: each can hold what a terminal
obeys (ECMA-48's C0 and C1), what turns the order of a line (Unicode's bidirectional controls), or
what GitHub's runner and Azure's agent take for a command (`actions/runner`, ActionCommand.cs). It
is written as Python would escape it, as in ``\x1b``: seen, and of no effect.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")
#: Controls but tab and line feed; marks that are not seen; line separators; half a character.
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
#: ``::name::value`` at the beginning of a line, and the older ``##[name]value`` anywhere in one.
WORKFLOW = re.compile(r"^(\s*)::(?=[^\n]*::)|##(?=\[|vso\[)", re.MULTILINE)
#: What no text of PostgreSQL can hold: NUL, and what UTF-8 cannot say.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
LONGEST = 10_000  # characters of a text that says why; MariaDB keeps 65,535 bytes


def clean(text: str) -> str:
    """Return a text of one or more lines with what steers a terminal or a CI service escaped."""
    text = STEERING.sub(_escaped, text.replace("\r\n", "\n"))
    return WORKFLOW.sub(_disarmed, text)


def one_line(text: object) -> str:
    """Return a text, or what a thing is as a text, cleaned and on one line."""
    return clean(" ".join(str(text).split()))


def unbroken(text: str) -> str:
    """Return a text cleaned and without line breaks; its columns stay."""
    return clean(re.sub(r"[ \t]*[\r\n]\s*", " ", text))


def in_clean_lines(tell: Callable[P, Iterable[str]]) -> Callable[P, Iterator[str]]:
    """Let what a function tells come in lines that are cleaned and stay lines."""

    @wraps(tell)
    def told(*args: P.args, **kwargs: P.kwargs) -> Iterator[str]:
        return map(unbroken, tell(*args, **kwargs))

    return told


def storable(text: str) -> str:
    """Return a text that every database can keep."""
    return UNSTORABLE.sub(_escaped, text)


def escaped(text: str) -> str:
    """Return a text in ASCII, which a database of any encoding can keep."""
    return text.encode("ascii", "backslashreplace").decode()


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text, or the beginning of one that is too long to be kept."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _disarmed(found: re.Match[str]) -> str:
    if found[1] is None:
        return r"\x23#"
    return rf"{found[1]}\x3a:"
