"""What a hostile text holds, and how it is found in an output."""

import re
import unicodedata

#: What the runners of GitHub and Azure take for a command, at the beginning of a line or in one.
COMMANDS = (
    "::set-output name=x::y",
    "  ::add-mask::x",
    "ok\n::stop-commands::token",
    "ok ##[set-env name=PATH]/tmp",
    "ok ##vso[task.setvariable variable=x]y",
)
#: A bell, a title, a cursor, a C1 control, a line of its own, an order of its own.
TEXT = "ev\x1b]0;title\x07\x1b[2J\x9bil\r\n::set-output name=x::y\u202e##[command]x"
#: The same in as many bytes as PostgreSQL gives a name.
NAME = TEXT.replace("set-output name", "n").encode()[:63].decode("utf-8", "ignore")
BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def harmful(text: str) -> list[str]:
    """Return what a terminal, a reader or a runner would obey."""
    found = [
        it
        for it in text
        if (unicodedata.category(it) in {"Cc", "Cs", "Zl", "Zp"} and it not in "\n\t")
        or unicodedata.bidirectional(it) in BIDIRECTIONAL
    ]
    return found + re.findall(r"(?m)^\s*::[^\n]*::|##\[|##vso\[", text)
