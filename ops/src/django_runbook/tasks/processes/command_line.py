"""A command line for people: it can be pasted, and its secrets are masked."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from django_runbook.text.masking import MASK, NAMED, masked

OPTION = r"(?is)(--[\w-]*(?:token|secret|password|passwd)[\w-]*)(=.*)?"


def line(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Return a command line that can be pasted into a shell, with its secrets masked."""
    changes = [
        f"{name}={MASK if NAMED.search(name) else shlex.quote(masked(value))}"
        for name, value in (env or {}).items()
    ]
    return " ".join([*changes, shlex.join(_mask(argv))])


def _mask(argv: Sequence[str]) -> Iterator[str]:
    """Yield the words with passwords masked: by their shape, behind ``=``, and as the next word."""
    hide = False
    for word in argv:
        option = re.fullmatch(OPTION, word)
        if hide and not word.startswith("-"):
            yield MASK
        elif option and option[2]:
            yield f"{option[1]}={MASK}"
        else:
            yield masked(word)
        hide = bool(option and not option[2])
