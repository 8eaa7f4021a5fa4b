"""`inv deps.*`: the hashed locks."""

import sys

from invoke import Collection, Context

from ops.tasks.base import task
from ops.tasks.process import options, run

OPTIONS = (
    *("pyproject.toml", "--quiet", "--universal", "--generate-hashes", "--no-emit-index-url"),
    *("--custom-compile-command", "inv deps.lock"),
)


@task(help={"upgrade": "Take the newest versions instead of keeping the locked ones."})
def lock(c: Context, upgrade: bool = False) -> None:
    """Write requirements.txt and requirements-dev.txt from pyproject.toml, with hashes."""
    uv = [sys.executable, "-m", "uv", f"--directory={c.config.ops.root}"]
    compile_ = [*uv, "pip", "compile", *OPTIONS, *options(upgrade=upgrade)]
    run(c, [*compile_, "--output-file=requirements.txt"])
    dev = options(group="dev", constraint="requirements.txt")
    run(c, [*compile_, *dev, "--output-file=requirements-dev.txt"])


collection = Collection("deps", lock)
