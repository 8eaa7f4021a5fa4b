"""`inv test`, `inv check` and the gates that it runs."""

import os
import shutil
import sys
from pathlib import Path

from invoke import Context, Exit

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes import parallel, process
from django_runbook.tasks.processes.command_line import line

GROUP = "Quality"
PYTHON = sys.executable
PYTEST = (PYTHON, "-m", "pytest")
LINT = (PYTHON, "-m", "ruff", "check", "--quiet", "--output-format=concise")
FORMAT = (PYTHON, "-m", "ruff", "format", "--quiet")
TYPES = (PYTHON, "-m", "mypy", "--no-error-summary")
INV = (PYTHON, "-m", "invoke")
ZIZMOR = (str(Path(PYTHON).with_name("zizmor")), "--quiet", "--persona=auditor", "--offline")
SCHEMA = (PYTHON, "-m", "check_jsonschema", "--quiet", "--builtin-schema")
#: Settings for Django's checks, which need no database of anybody's.
SETTINGS = {"DATABASE_URL": "sqlite://:memory:", "DEBUG": "true", "ENV_FILE": os.devnull}


@task(passes_on=True)
def test(c: Context) -> None:
    """Run the tests (pytest takes what stands after --)."""
    process.become(c, [*PYTEST, *process.typed()])


@task()
def lint(c: Context) -> None:
    """Look for mistakes and bad style (ruff check)."""
    process.become(c, LINT)


@task()
def fix(c: Context) -> None:
    """Mend what ruff can mend, and format."""
    process.run(c, [*LINT, "--fix-only"])
    process.become(c, FORMAT)


@task()
def types(c: Context) -> None:
    """Check the types (mypy)."""
    process.become(c, TYPES)


@task()
def check(c: Context) -> None:
    """Run every gate of CI but the tests, side by side."""
    import secrets

    settings = {**SETTINGS, "SECRET_KEY": secrets.token_urlsafe(50)}
    gates = {
        "lint": parallel.Step(LINT),
        "format": parallel.Step([*FORMAT, "--check", "--output-format=concise"]),
        "types": parallel.Step(TYPES),
        "django": parallel.Step(process.manage(c, "check_migrations", "--no-database"), settings),
        "squashes": parallel.Step(process.manage(c, "squash", "--verify"), settings),
        **workflow_gates(Path(c.config.runbook.root)),
    }
    results = parallel.gather(c, gates)
    for name, result in results.items():
        if result.code:
            print(f"--- {name}: {line(gates[name].argv)}\n{result.output.rstrip()}\n")
    for name, result in results.items():
        print(f"{name:<12} {'FAILED' if result.code else 'ok':<6} {result.seconds:6.1f} s")
    if any(result.code for result in results.values()):
        raise Exit(code=1)


def workflow_gates(root: Path) -> "dict[str, parallel.Step]":
    """Return the gates of GitHub's workflows; none for a repository that has none."""
    workflows = sorted(map(str, (root / ".github/workflows").glob("*.y*ml")))
    dependabot = root / ".github/dependabot.yml"
    if not workflows:
        return {}
    gates = {
        "schedule": [
            *INV,
            "--search-root",
            str(root),
            "schedule.render",
            "--check",
            "schedule.lint",
        ],
        "security": [*ZIZMOR, str(root / ".github")],
        "workflows": [*SCHEMA, "vendor.github-workflows", *workflows],
    }
    if dependabot.exists():
        gates["dependabot"] = [*SCHEMA, "vendor.dependabot", str(dependabot)]
    if actionlint := shutil.which("actionlint"):
        gates["actionlint"] = [actionlint, "-no-color", *workflows]
    return {name: parallel.Step(argv) for name, argv in gates.items()}


tasks = (test, check, lint, fix, types)
