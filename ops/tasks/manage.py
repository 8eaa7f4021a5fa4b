"""`inv manage`: any management command."""

from invoke import Context

from ops.tasks import process
from ops.tasks.base import task


@task(passes_on=True)
def manage(c: Context) -> None:
    """Run any management command: inv manage -- COMMAND ARGUMENTS."""
    process.become(c, process.manage(c, *process.typed()))
