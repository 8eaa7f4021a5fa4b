"""`inv test`, `inv check` and the gates that it runs."""

import os
import sys

from invoke import Context, Exit

from ops.tasks import process
from ops.tasks.base import task
from ops.tasks.line import line

GROUP = "Quality"
PYTHON = sys.executable
PYTEST = (PYTHON, "-m", "pytest")
LINT = (PYTHON, "-m", "ruff", "check", "--quiet", "--output-format=concise")
FORMAT = (PYTHON, "-m", "ruff", "format", "--quiet")
TYPES = (PYTHON, "-m", "mypy", "--no-error-summary")
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
        "lint": process.Step(LINT),
        "format": process.Step([*FORMAT, "--check", "--output-format=concise"]),
        "types": process.Step(TYPES),
        "django": process.Step(process.manage(c, "check_migrations", "--no-database"), settings),
    }
    results = process.gather(c, gates)
    for name, result in results.items():
        if result.code:
            print(f"--- {name}: {line(gates[name].argv)}\n{result.output.rstrip()}\n")
    for name, result in results.items():
        print(f"{name:<12} {'FAILED' if result.code else 'ok':<6} {result.seconds:6.1f} s")
    if any(result.code for result in results.values()):
        raise Exit(code=1)


tasks = (test, check, lint, fix, types)
