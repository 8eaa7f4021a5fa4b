"""`inv doctor`: is everything here that the tasks need, and if not, what mends it."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from invoke import Context, Exit

from django_runbook.checkup import Line
from django_runbook.extras import install
from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes import process

GROUP = "Quality"
CRON = r"(?m)^\s*- cron:\s*[\"']?([^\"'#\n]+?)[\"']?\s*(?:#.*)?$"
PIN = r"(?m)^([a-z0-9-]+)==([\w.]+) \\$"  # lines with a marker are left out


@task(help={"json": "Print one JSON list."})
def doctor(c: Context, json: bool = False) -> None:
    """Look at what the tasks need, and say what mends it."""
    root = Path(c.config.runbook.root)
    lines = [_python(), _lock(root), *_django(c), _graph(), _schedule(root)]
    print(_as_json(lines) if json else "\n".join(map(str, lines)))
    if not all(line.ok for line in lines):
        raise Exit(code=1)


def _as_json(lines: list[Line]) -> str:
    return json.dumps([asdict(line) for line in lines])


def _python() -> Line:
    return Line("python", ok=True, detail=f"{sys.version.split()[0]}, {sys.executable}")


def _lock(root: Path) -> Line:
    """Compare the lock's pins with what is installed."""
    lock = root / "requirements-dev.txt"
    if not lock.exists():
        return Line("lock", ok=True, detail=f"this repository has no {lock.name}")
    pins = re.findall(PIN, lock.read_text("utf-8"))
    other = [f"{name} {_version(name)}" for name, version in pins if _version(name) != version]
    if other:
        detail = f"{len(other)} package(s) differ from {lock.name}: {', '.join(other[:3])}"
        return Line("lock", ok=False, detail=detail, fix="rm -r .venv && ./inv doctor")
    return Line("lock", ok=True, detail=f"{len(pins)} packages as in {lock.name}")


def _version(name: str) -> str:
    from importlib import metadata  # here, because it takes longer than listing the tasks

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _django(c: Context) -> Iterator[Line]:
    """Yield what Django says, or why it cannot say anything."""
    try:
        found = json.loads(process.probe(c, process.manage(c, "diagnose", "--json")))
    except Exit as error:
        detail = error.message or "manage.py says nothing"
        yield Line(
            "settings", ok=False, detail=detail, fix="inv --debug manage -- check --traceback"
        )
        return
    for line in found:
        yield Line(**line)


def _graph() -> Line:
    program = process.graphviz()
    if program:
        return Line("graph", ok=True, detail=program)
    return Line("graph", ok=True, detail=f"no Graphviz; to draw the models: {install('graph')}")


def _schedule(root: Path) -> Line:
    """Say which workflows of GitHub Actions run by the clock, and when."""
    files = sorted((root / ".github/workflows").glob("*.y*ml"))
    found = [f"{file.name} {cron}" for file in files for cron in re.findall(CRON, file.read_text())]
    return Line("schedule", ok=True, detail=", ".join(found) or "no workflow runs by the clock")
