"""Tells a rendered file that is up to date from one that is old, and from one that a hand changed.

What stands between marked lines is the user's and is kept, and so is a newer commit of an action,
which Dependabot writes. A digest of all the rest stands in the file itself.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

NONE = "0" * 64
DIGEST = re.compile(r"(?<=^# digest: )[0-9a-f]{64}$", re.MULTILINE)
BLOCK = re.compile(
    r"^(?P<begin> *# --- yours: (?P<name>[\w-]+): begin ---\n)(?P<text>.*?)"
    r"(?P<end>^ *# --- yours: (?P=name): end ---\n)",
    re.MULTILINE | re.DOTALL,
)
MARK = "# --- yours: "
PIN = re.compile(r"(?<=uses: )(?P<action>[\w./-]+)@[0-9a-f]{40} # v[\w.]+$", re.MULTILINE)


class State(Enum):
    """How a file is, compared with what would be rendered now: in words, and what mends it."""

    CURRENT = ("is up to date", "")
    MISSING = ("is missing", "Run 'inv schedule.render'.")
    OLD = ("is not what pyproject.toml says", "Run 'inv schedule.render'.")
    CHANGED = (
        "was changed outside of the lines that are marked as yours",
        "Move the change between them, or undo it with 'inv schedule.render --force'.",
    )
    STRANGE = (
        "was not made by inv schedule.render",
        "Rename it, or write over it with 'inv schedule.render --force'.",
    )
    LEFT = ("is of no declared job any more", "Run 'git rm {file}'.")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a file is, what it holds, and what it should hold."""

    file: str
    state: State
    found: str | None
    text: str

    def __str__(self) -> str:
        """Return one line: the file, how it is, and what mends it."""
        words, mend = self.state.value
        return (
            f"{self.file} {words}. {mend.format(file=self.file)}"
            if mend
            else f"{self.file} {words}"
        )


def compare(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[Verdict]:
    """Judge the files that should be there, and rendered ones that should not; texts by file."""
    left = [
        Verdict(file=file, state=State.LEFT, found=text, text="")
        for file, text in found.items()
        if file not in wanted and DIGEST.search(text)
    ]
    return [*(judge(file, found.get(file), text) for file, text in wanted.items()), *left]


def marked(name: str, indent: int) -> str:
    """Return an empty pair of marked lines."""
    space = " " * indent
    return f"{space}{MARK}{name}: begin ---\n{space}{MARK}{name}: end ---"


def seal(text: str) -> str:
    """Return a rendered text, in which a line is ``# digest: `` and ``NONE``, with its digest."""
    return DIGEST.sub(_digest(text), text, count=1)


def judge(file: str, found: str | None, rendered: str) -> Verdict:
    """Say how a file is; the text that it should hold keeps what is the user's."""
    stated = DIGEST.search(found) if found else None
    merged = _merged(found, rendered) if found and stated else None
    text = rendered if merged is None else merged
    if found is None:
        state = State.MISSING
    elif stated is None:
        state = State.STRANGE
    elif merged is None or stated[0] != _digest(found):
        state = State.CHANGED
    else:
        state = State.CURRENT if merged == found else State.OLD
    return Verdict(file=file, state=state, found=found, text=text)


def _merged(found: str, rendered: str) -> str | None:
    """Return the rendered text with what is the user's; None where that has no place in it."""
    pairs = list(BLOCK.finditer(found))
    own = {pair["name"]: pair["text"] for pair in pairs}
    places = {pair["name"] for pair in BLOCK.finditer(rendered)}
    rest = BLOCK.sub("", found)
    lost = any(text.strip() and name not in places for name, text in own.items())
    if lost or len(own) != len(pairs) or MARK in "".join([rest, *own.values()]):
        return None
    pins = {pin["action"]: pin[0] for pin in PIN.finditer(rest)}
    text = PIN.sub(lambda pin: pins.get(pin["action"], pin[0]), rendered)
    return BLOCK.sub(lambda pair: f"{pair['begin']}{own.get(pair['name'], '')}{pair['end']}", text)


def _digest(text: str) -> str:
    """Return the digest of all that is not the user's."""
    text = BLOCK.sub(r"\g<begin>\g<end>", text)
    text = PIN.sub(r"\g<action>", DIGEST.sub(NONE, text, count=1))
    return hashlib.sha256(text.encode()).hexdigest()
