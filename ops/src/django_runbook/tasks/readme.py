"""`inv readme`: the table of tasks in README.md or docs/, made from the tasks themselves."""

import re
from pathlib import Path

from invoke import Collection, Context, Exit
from invoke.main import program

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes import process

GROUP = "Quality"
BEGIN, END = "<!-- tasks: made by inv readme -->", "<!-- end of tasks -->"
BLOCK = f"(?s){re.escape(BEGIN)}.*{re.escape(END)}"


@task(help={"check": "Write nothing; fail where the table is not that of the tasks."})
def readme(c: Context, check: bool = False) -> None:
    """Write the table of tasks into README.md, or docs/."""
    file = _file(Path(c.config.runbook.root))
    old = file.read_text("utf-8")
    new = re.sub(BLOCK, lambda _match: f"{BEGIN}\n{table(program.collection)}\n{END}", old)
    if new == old:
        return
    if check:
        raise Exit(f"{file}: the table of tasks is out of date. Run 'inv readme'.", code=1)
    if process.is_dry(c):
        print(f"write {file}")
        return
    file.write_text(new, "utf-8")


def table(collection: Collection) -> str:
    """Return a Markdown table of every task with its words, options and line of help."""
    rows = [_row(name, collection) for name in sorted(collection.task_names)]
    return "\n".join(["| task | what it does | words and options |", "|---|---|---|", *rows])


def _file(root: Path) -> Path:
    """Return the file that has the lines to write between. Raises ``Exit`` where none has."""
    files = [root / "README.md", *sorted(root.glob("docs/**/*.md"))]
    for file in files:
        if file.is_file() and re.search(BLOCK, file.read_text("utf-8")):
            return file
    raise Exit(
        f"Neither {files[0]} nor a page of docs/ has lines '{BEGIN}' and '{END}' to write between.",
        code=1,
    )


def _row(name: str, collection: Collection) -> str:
    declared = collection[name]
    words = [f"`{word.upper()}`" for word in declared.operands]
    options = [
        f"`--{str(argument.name).rstrip('_').replace('_', '-')}`"
        for argument in declared.get_arguments()
        if (argument.attr_name or argument.name) not in declared.operands
    ]
    rest = ["`-- …`"] if declared.passes_on else []
    line = (declared.__doc__ or "").splitlines()[0].rstrip(".")
    return f"| `{name}` | {line} | {' '.join([*words, *options, *rest])} |"
