"""`inv manage`: any management command."""

from invoke import Context

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes import process

GROUP = "Any command"


@task(
    passes_on=True,
    help={"confirm": "The database's name, where a command destroys a protected target."},
)
def manage(c: Context, confirm: str | None = None) -> None:
    """Run any command: inv manage -- COMMAND ARGUMENTS."""
    command, *arguments = process.typed() or ["help"]
    confirmed = process.options(confirm=confirm)
    process.become(c, process.manage(c, command, *confirmed, *arguments))
