"""Each command that the jobs' code tells somebody to run is one, with options that it takes."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from django_runbook import jobs
from tests.ops.jobs.management.printed import HOUR, SLOT, run
from tests.ops.jobs.past_runs import ran
from tests.ops.jobs.shops import DAILY, SCHEDULE, Shop, shop_fixture

__all__ = ["shop_fixture"]

KIT = Path(jobs.__file__).parents[1]
FILES = [
    *KIT.glob("jobs/**/*.py"),
    *KIT.glob("schedule/*.py"),
    *KIT.glob("config/*.py"),
    *(KIT / f"tasks/{name}.py" for name in ("jobs", "schedule", "summaries")),
]
#: `'inv …'`, ``inv …``, or behind what announces it, up to the end of the text.
TOLD = re.compile(
    r"'(inv [a-z][^']*)'|``(inv [a-z][^`]*)``|"
    r"(?:^|as in: |[Nn]ext: |-> |[Rr]un |See )(inv [a-z][^'`]*)"
)
#: What stands for the gap of an f-string.
GAPS = (("job", "expire_trials"), ("name", "expire_trials"), ("", "1"))


def texts(file: Path) -> Iterator[str]:
    """Yield the texts of a module, with what fills the gaps of each."""
    tree = ast.parse(file.read_text("utf-8"))
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(filled, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str | int):
            yield "" if id(node) in parts else str(node.value)


def filled(part: ast.expr) -> str:
    """Return a part of an f-string as it may be printed."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    shown = ast.unparse(part.value)
    return next(value for word, value in GAPS if word in shown)


def told() -> list[str]:
    """Return the commands that the code tells of, each once."""
    found = (TOLD.finditer(text) for file in FILES for text in texts(file))
    lines = {next(filter(None, each.groups())) for some in found for each in some}
    return sorted(line.strip().rstrip(".") for line in lines)


def verify(shop: Shop, line: str) -> None:
    """Let `inv` read a line, and the management command what `inv` makes of it."""
    shop.declare(SCHEDULE + DAILY + DAILY.replace("send_bills", "expire_trials"))
    done = shop.inv("--dry", *shlex.split(line)[1:])
    assert (done.code in {0, 1}, done.err) == (True, ""), (line, done)  # 1 is what lint found
    for printed in done.out.splitlines():
        *_, argv = printed.partition("manage.py ")
        if argv:
            parse(shlex.split(argv))


def parse(argv: list[str]) -> None:
    """Read the words of a management command as it does; raises where it would refuse them."""
    name, *words = argv
    mark = words.index("--") if name == "run_job" and "--" in words else len(words)
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(words[:mark])
    if words[mark:]:
        parse([words[0], *words[mark + 1 :]])


@pytest.mark.slow
@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("line", told())
def test_each_command_that_is_told_is_one(shop, line):
    """Wherever the code names one, in quotes or behind "next", "see", "run" and "as in"."""
    verify(shop, line)


def test_commands_are_found():
    """A regex that finds nothing would prove nothing."""
    found = told()
    for line in (
        "inv db.migrate", "inv jobs.history", "inv jobs.undo 1", "inv jobs.show 1 --failed",
        "inv jobs.run expire_trials", "inv schedule.render --force",
        "inv jobs.resume expire_trials",
    ):  # fmt: skip
        assert line in found, found


SITUATIONS = [
    {"status": "FAILED"},
    {"status": "LOST", "slot": SLOT},
    {"status": "STOPPED", "arguments": ["--as-of=2026-03-01T04:00Z", "-v", "2"]},
    {"status": "REFUSED"},
    {"status": "REFUSED", "due": 800, "slot": SLOT},
    {"status": "REFUSED", "due": 800, "arguments": ["--allow", "5", "--reason=the launch"]},
    {"status": "FAILED", "slot": SLOT + HOUR},
    {"status": "FAILED", "failed": 3},
    {"status": "STOPPED", "undoes_id": 1},
    {"job": "shell", "status": "FAILED", "arguments": ["-c", "print('a b'); x = \"y\""]},
]


@pytest.mark.slow
@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("values", SITUATIONS, ids=str)
def test_next_of_a_run_is_a_command(db, shop, values):
    """With the words of the run, quoted for a shell, and what lets it pass."""
    ran(pk=1)
    ran(pk=2, started=SLOT + HOUR, **values)
    (line,) = [line for line in run("show_run", "2").splitlines() if line.startswith("next")]
    assert line.startswith("next        inv jobs.")
    verify(shop, line.removeprefix("next").strip())
