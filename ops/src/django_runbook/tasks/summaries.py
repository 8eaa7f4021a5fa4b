"""What a run came to, in Markdown: for the summary of a workflow."""

import json
from pathlib import Path
from typing import Any

ROWS = {
    "run": "run",
    "slot": "slot",
    "as_of": "as of",
    "due": "due",
    "changed": "changed",
    "batches": "batches",
    "seconds": "seconds",
    "limit": "a run would be refused",
    "note": "a run would be",
    "next_slot": "next slot",
}
NOTHING = "It left no result: it was ended before it could say anything, or never began."


def markdown(file: Path) -> str:
    """Return the summary of the result that ``run_job --json`` has written to a file.

    Whatever was written, or nothing: there is a summary.
    """
    try:
        result = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        result = None
    if not isinstance(result, dict):
        return f"### No result\n\n{NOTHING}\n"
    lines = [f"### {_plain(result.get('job', 'Dry run'))}: {_headline(result)}", ""]
    if result.get("reason"):
        lines += [_plain(result["reason"]), ""]
    shown = [(title, result[key]) for key, title in ROWS.items() if _has(result, key)]
    lines += ["| | |", "|---|---|", *(f"| {title} | {_cell(value)} |" for title, value in shown)]
    lines += ["", *(f"- {_plain(warning)}" for warning in result.get("warnings", ()))]
    return "\n".join(lines).rstrip() + "\n"


def _headline(result: dict[str, Any]) -> str:
    if result.get("dry_run"):
        return "nothing was changed"
    return str(result.get("status", "no status")).lower()


def _has(result: dict[str, Any], key: str) -> bool:
    return result.get(key) not in (None, "")


def _cell(value: Any) -> str:
    return str(value) if isinstance(value, int | float) else _plain(value)


def _plain(value: Any) -> str:
    """Return text that cannot become Markdown or HTML of its own: a reason is typed by anybody."""
    text = " ".join(str(value).split())
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#~!$&@" else char for char in text)
