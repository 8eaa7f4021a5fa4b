"""A command line for people: it can be pasted, and its secrets are masked."""

import shlex
from collections.abc import Mapping, Sequence

from django_runbook.text.masking import MASK, NAMED, mask_words, masked


def line(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Return a command line that can be pasted into a shell, with its secrets masked."""
    changes = [
        f"{name}={MASK if NAMED.search(name) else shlex.quote(masked(value))}"
        for name, value in (env or {}).items()
    ]
    return " ".join([*changes, shlex.join(mask_words(argv, masked))])
