"""`inv manage`: any management command."""

from invoke import Context

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes import process, target

GROUP = "Any command"
DESTRUCTIVE = ("flush", "reset_db", "reset_schema", "restore", "undo_run")


@task(
    passes_on=True,
    help={"confirm": "The database's name, where a command destroys a protected target."},
)
def manage(c: Context, confirm: str | None = None) -> None:
    """Run any command: inv manage -- COMMAND ARGUMENTS."""
    command, *arguments = process.typed() or ["help"]
    if command == "migrate":
        target.guard_migrate(c, arguments, confirm=confirm)
    elif command in DESTRUCTIVE:
        target.guard(c, target.ask(c), command, confirm=confirm)
    process.become(c, process.manage(c, command, *arguments))
