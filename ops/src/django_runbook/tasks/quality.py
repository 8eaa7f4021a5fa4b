"""`inv test`, `inv check` and the gates that it runs."""

import os
import shutil
import sys
from collections.abc import Mapping
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
#: What lets the tools do without their caches; ruff and mypy end where they cannot write one.
NO_CACHES = {"MYPY_CACHE_DIR": os.devnull, "RUFF_NO_CACHE": "true"}


@task(passes_on=True)
def test(c: Context) -> None:
    """Run the tests (pytest takes what stands after --)."""
    without = ("-p", "no:cacheprovider") if _caches(c) else ()
    process.become(c, [*PYTEST, *without, *process.typed()])


@task()
def lint(c: Context) -> None:
    """Look for mistakes and bad style (ruff check)."""
    process.become(c, LINT, _caches(c))


@task()
def fix(c: Context) -> None:
    """Mend what ruff can mend, and format."""
    if _caches(c):  # ruff would say nothing
        raise Exit(f"{c.config.runbook.root} cannot be written: nothing can be mended.", code=1)
    process.run(c, [*LINT, "--fix-only"])
    process.become(c, FORMAT)


@task()
def types(c: Context) -> None:
    """Check the types (mypy)."""
    process.become(c, TYPES, _caches(c))


@task()
def check(c: Context) -> None:
    """Run every gate of CI but the tests, side by side."""
    import secrets

    caches = _caches(c)
    settings = {**SETTINGS, "SECRET_KEY": secrets.token_urlsafe(50)}
    migrations = process.manage(c, "check_migrations", "--no-database", env=settings)
    squashes = process.manage(c, "squash", "--verify", env=settings)
    gates = {
        "lint": parallel.Step(LINT, caches),
        "format": parallel.Step([*FORMAT, "--check", "--output-format=concise"], caches),
        "types": parallel.Step(TYPES, caches),
        "django": parallel.Step(migrations, settings),
        "squashes": parallel.Step(squashes, settings),
        **_job_gates(c, settings),
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


def _job_gates(c: Context, settings: Mapping[str, str]) -> "dict[str, parallel.Step]":
    """Return the gate of the declared jobs; none for a repository that declares none."""
    if not process.config(c).jobs:
        return {}
    found = process.manage(c, *process.CHECK_JOBS, env=settings)
    return {"jobs": parallel.Step(found, settings)}


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


def _caches(c: Context) -> dict[str, str]:
    """Return what the tools need to know in a checkout that this user cannot write."""
    return {} if os.access(c.config.runbook.root, os.W_OK) else NO_CACHES


tasks = (test, check, lint, fix, types)
