"""`inv deps.*`: the hashed locks."""

import sys
from pathlib import Path

from invoke import Collection, Context

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes.process import become, options, run

GROUP = "Dependencies"
#: --strict: a package that could not be looked up is no clean one.
AUDIT = ("--disable-pip", "--require-hashes", "--strict")
OPTIONS = (
    *("pyproject.toml", "--quiet", "--universal", "--generate-hashes", "--no-emit-index-url"),
    "--no-emit-package=django-runbook",
    *("--custom-compile-command", "inv deps.lock"),
)


@task(help={"upgrade": "Take the newest versions instead of keeping the locked ones."})
def lock(c: Context, upgrade: bool = False) -> None:
    """Write the hashed locks from pyproject.toml (uv)."""
    # A company's own certificates stand in the system's store, not in uv's.
    uv = [sys.executable, "-m", "uv", "--system-certs", f"--directory={c.config.runbook.root}"]
    compile_ = [*uv, "pip", "compile", *OPTIONS, *options(upgrade=upgrade)]
    run(c, [*compile_, "--output-file=requirements.txt"])
    dev = options(group="dev", constraint="requirements.txt")
    run(c, [*compile_, *dev, "--output-file=requirements-dev.txt"])


@task()
def audit(c: Context) -> None:
    """Look up known vulnerabilities (pip-audit)."""
    lock = str(Path(c.config.runbook.root) / "requirements-dev.txt")
    become(c, [sys.executable, "-m", "pip_audit", *AUDIT, "-r", lock])


collection = Collection("deps", lock, audit)
