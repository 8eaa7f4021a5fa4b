"""A command line for people: it can be pasted, and its secrets are masked."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

NAMED = r"(?i)(key|token|secret|password|passwd|pwd)"
OPTION = r"(?is)(--[\w-]*(?:token|secret|password|passwd)[\w-]*)(=.*)?"
IN_URL = r"(?<=://)([^/\s:@]*):\S*@"
MASK = "***"


def line(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Return a command line that can be pasted into a shell, with its secrets masked."""
    changes = [
        f"{name}={MASK if re.search(NAMED, name) else shlex.quote(_mask_url(value))}"
        for name, value in (env or {}).items()
    ]
    return " ".join([*changes, shlex.join(_mask(argv))])


def _mask(argv: Sequence[str]) -> Iterator[str]:
    """Yield the words with passwords masked: in a URL, behind ``=``, and as the next word."""
    hide = False
    for word in argv:
        option = re.fullmatch(OPTION, word)
        if hide and not word.startswith("-"):
            yield MASK
        elif option and option[2]:
            yield f"{option[1]}={MASK}"
        else:
            yield _mask_url(word)
        hide = bool(option and not option[2])


def _mask_url(word: str) -> str:
    return re.sub(IN_URL, rf"\1:{MASK}@", word)
