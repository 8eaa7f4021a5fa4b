"""`inv schedule.*`: the declared schedule, told to GitHub Actions, cron, systemd and Kubernetes."""

import datetime
import difflib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Collection, Context, Exit

from django_runbook.config import ConfigError, Job
from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes import process

if TYPE_CHECKING:
    from django_runbook.schedule.rendered import Verdict

REFUSED = 3
GROUP = "Jobs"
USAGE = 2
WORKFLOWS = Path(".github/workflows")
FORMS = ("crontab", "systemd", "kubernetes")
MOST = 1000
#: One of the jobs' own checks, as Django prints it: what is wrong, and what mends it.
FINDING = r"\(runbook_jobs\.[EW]\d+\) (.+)(?:\n\s*HINT: (.+))?"


@task(
    help={
        "check": "Write nothing; show what differs, and fail where anything does.",
        "force": "Write over what was changed by hand, outside of the marked lines, as well.",
    }
)
def render(c: Context, check: bool = False, force: bool = False) -> None:
    """Write the workflows of the jobs into .github/workflows."""
    from django_runbook.schedule.rendered import State, compare

    root = Path(c.config.runbook.root)
    verdicts = compare(_read(root), _workflows(c, check=check))
    amiss = [verdict for verdict in verdicts if verdict.state is not State.CURRENT]
    if check:
        for verdict in amiss:
            print("\n".join(_difference(verdict)))
        if amiss:
            raise Exit("\n".join(map(str, amiss)), code=1)
        return
    by_hand = [verdict for verdict in amiss if verdict.state in {State.CHANGED, State.STRANGE}]
    if by_hand and not force:
        raise Exit("\n".join(f"Refused: {verdict}" for verdict in by_hand), code=REFUSED)
    for verdict in verdicts:
        if verdict.state is State.CURRENT:
            print(verdict)
        elif verdict.state is not State.LEFT:
            _write(c, root / verdict.file, verdict.text, verdict.file)
    left = [str(verdict) for verdict in amiss if verdict.state is State.LEFT]
    if left:
        raise Exit("\n".join(left), code=1)


@task(
    operands=("form",),
    help={
        "form": f"One of {', '.join(FORMS)}.",
        "job": "This job alone.",
        "output": "A folder to write the files into, instead of printing them.",
    },
)
def export(
    c: Context, form: str | None = None, job: str | None = None, output: str | None = None
) -> None:
    """Print the schedule for cron, systemd or Kubernetes."""
    if form not in FORMS:
        raise Exit(
            f"Say which form: {', '.join(FORMS)}, as in: inv schedule.export systemd", code=USAGE
        )
    files = _exported(c, form, _jobs(c, job))
    if output is None:
        between = "---\n" if form == "kubernetes" else "\n"
        print(between.join(files.values()), end="")
        return
    for name, text in files.items():
        _write(c, Path.cwd() / output / name, text, str(Path(output, name)))


@task(
    help={"count": "How many of each job (default: 5).", "job": "This job alone."},
)
def next_slots(c: Context, count: str = "5", job: str | None = None) -> None:
    """Show the coming slots, in UTC and in the job's zone."""
    from django_runbook.schedule.coming_slots import table

    if not count.isdecimal() or not 1 <= int(count) <= MOST:
        raise Exit(f"--count={count} is not a whole number from 1 to {MOST}.", code=USAGE)
    with _in_one_line(c):
        print(table(_jobs(c, job), datetime.datetime.now(datetime.UTC), int(count)))


@task()
def lint(c: Context) -> None:
    """Look for what lets a schedule fail silently."""
    process.require("yaml", "inv schedule.lint")
    from django_runbook.schedule.lint import lint as look

    root = Path(c.config.runbook.root)
    declared = root / "pyproject.toml"
    text = declared.read_text("utf-8") if declared.exists() else ""
    findings = look(_read(root), process.config(c), text)
    if findings:
        print("\n".join(map(str, findings)))
        raise Exit(code=1)


def _workflows(c: Context, *, check: bool) -> dict[str, str]:
    """Return the workflows that there should be, by their file."""
    from django_runbook.schedule import github

    config = process.config(c)
    jobs = [job for job in config.jobs.values() if job.cron]
    if not jobs or (check and config.schedule.repository is None):
        return {}
    _require_commands(c)
    with _in_one_line(c):
        texts = {job.name: github.render(job, config.schedule) for job in jobs}
        texts[github.STATUS_NAME] = github.render_status(config.schedule)
    return {github.file_name(name): text for name, text in texts.items()}


def _read(root: Path) -> dict[str, str]:
    """Return the workflows that there are. Raises ``Exit`` for one that cannot be read."""
    found = {}
    for file in sorted((root / WORKFLOWS).glob("*.y*ml")):
        try:
            found[str(file.relative_to(root))] = file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Exit(f"{file} cannot be read: {error}", code=1) from error
    return found


def _difference(verdict: "Verdict") -> Iterator[str]:
    """Yield the lines that rendering would change."""
    found = (verdict.found or "").splitlines()
    shown = (verdict.file, f"{verdict.file} as rendered")
    return difflib.unified_diff(found, verdict.text.splitlines(), *shown, lineterm="")


def _jobs(c: Context, name: str | None) -> list[Job]:
    """Return the jobs with a schedule, or the one that is named. Raises ``Exit`` where none is."""
    declared = process.config(c).jobs
    if name is None:
        scheduled = [job for job in declared.values() if job.cron]
        if not scheduled:
            raise Exit(
                "No job has a cron under [tool.django-runbook.jobs] of pyproject.toml.", code=1
            )
        return scheduled
    if name not in declared:
        near = ", ".join(difflib.get_close_matches(name, declared) or declared)
        raise Exit(
            f"--job={name} is not declared under [tool.django-runbook.jobs]; {near} is.", code=USAGE
        )
    from django_runbook.schedule.forms import require

    with _in_one_line(c):
        require(declared[name])
    return [declared[name]]


def _exported(c: Context, form: str, jobs: list[Job]) -> dict[str, str]:
    """Return the texts of a form by the names of their files."""
    from django_runbook.schedule import crontab, kubernetes, systemd

    _require_commands(c)
    schedule = process.config(c).schedule
    folder = schedule.folder or str(Path(c.config.runbook.root).resolve())
    files: dict[str, str] = {}
    with _in_one_line(c):
        for job in jobs:
            if form == "crontab":
                files[f"{job.name}.crontab"] = crontab.render(job, schedule, folder)
            elif form == "kubernetes":
                files[f"{job.name}.yaml"] = kubernetes.render(job, schedule)
            else:
                files.update(systemd.render(job, schedule, folder))
    return files


def _require_commands(c: Context) -> None:
    """Raise ``Exit`` where Django's checks find a job that names no command, or that cannot run.

    A schedule can be told without the secrets that the settings may want: where Django cannot be
    asked, that is said, and no more.
    """
    try:
        # Not by process.manage, which makes an .env: who only looks at a schedule writes nothing.
        process.probe(c, [sys.executable, str(process.config(c).manage), *process.CHECK_JOBS])
    except Exit as error:
        said = error.message or "manage.py says nothing"
        if found := re.findall(FINDING, said):
            raise Exit("\n".join(" ".join(each).strip() for each in found), code=1) from error
        last = said.strip().splitlines()[-1]
        print(f"Whether the jobs' commands exist was not looked at: {last}", file=sys.stderr)


@contextmanager
def _in_one_line(c: Context) -> Iterator[None]:
    """Raise ``Exit`` with one line, which names the file, for what cannot be told."""
    try:
        yield
    except ConfigError as error:
        raise Exit(f"{Path(c.config.runbook.root) / 'pyproject.toml'}: {error}", code=1) from error


def _write(c: Context, file: Path, text: str, shown: str) -> None:
    """Write a file, in a folder that may have to be made. Raises ``Exit`` where that fails."""
    if process.is_dry(c):
        print(f"write {shown}")
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise Exit(f"{shown} cannot be written: {error.strerror}", code=1) from error
    print(f"Wrote {shown}")


collection = Collection("schedule", render, export, lint)
collection.add_task(next_slots, name="next")
