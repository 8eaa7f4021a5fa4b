"""`inv schedule.*`: what is written, what is refused, what is printed, and the exit codes."""

import datetime
import difflib
import re

import pytest
import time_machine
from invoke import Config, Context, Exit

from django_runbook.config import load
from django_runbook.schedule import github
from django_runbook.tasks import schedule
from tests.commands import ROOT
from tests.ops.schedule.goldens import FOLDER

PYPROJECT = """\
[tool.django-runbook]
manage = "manage.py"
[tool.django-runbook.schedule]
repository = "example/shop"
branch = "trunk"
environment = "live"
image = "registry.example/shop:1.4"
folder = "/srv/shop"
user = "shop"
mail = "ops@example.org"
[tool.django-runbook.jobs.expire_trials]
cron = "17 4 * * *"
heartbeat = "EXPIRE_TRIALS_PING"
[tool.django-runbook.jobs.clearsessions]
cron = "43 3,22 * * SUN"
timezone = "Europe/Berlin"
timeout_minutes = 7.5
inputs = []
[tool.django-runbook.jobs.by_hand]
"""
DAILY, WEEKLY, STATUS = (
    f".github/workflows/{name}.yml" for name in ("expire_trials", "clearsessions", "jobs-status")
)


class Shop:
    """Another repository, in a folder with a space in its name."""

    def __init__(self, root):
        self.root = root
        (root / "manage.py").touch()
        self.declare(PYPROJECT)

    def declare(self, text):
        """Write pyproject.toml."""
        (self.root / "pyproject.toml").write_text(text)
        load.cache_clear()

    def run(self, task, *, dry=False, **options):
        """Run the body of a task."""
        overrides = {"runbook": {"root": str(self.root)}, "run": {"dry": dry}}
        task(Context(Config(overrides=overrides)), **options)

    def fails(self, task, **options):
        """Return the exit code and the message of a task that must fail."""
        with pytest.raises(Exit) as end:
            self.run(task, **options)
        return end.value.code, end.value.message

    def edit(self, file, old, new):
        """Change a file by hand."""
        text = (self.root / file).read_text()
        assert old in text
        (self.root / file).write_text(text.replace(old, new))


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Return the repository, with nothing rendered yet."""
    monkeypatch.setattr("sys.argv", ["inv"])
    root = tmp_path / "a shop"
    root.mkdir()
    monkeypatch.chdir(root)
    return Shop(root)


@pytest.fixture
def rendered(shop, capsys):
    """Return the repository with its workflows."""
    shop.run(schedule.render)
    capsys.readouterr()
    return shop


def test_render_writes_and_then_has_nothing_to_do(shop, capsys):
    """A workflow for each job that has a time, and one that looks at them."""
    shop.run(schedule.render)
    assert capsys.readouterr().out == f"Wrote {DAILY}\nWrote {WEEKLY}\nWrote {STATUS}\n"
    for file, golden in ((DAILY, "expire_trials.yml"), (STATUS, "jobs-status.yml")):
        assert (shop.root / file).read_bytes() == (FOLDER / golden).read_bytes()
    shop.run(schedule.render)
    assert capsys.readouterr().out == "".join(
        f"{file} is up to date\n" for file in (DAILY, WEEKLY, STATUS)
    )
    shop.run(schedule.render, check=True)
    assert capsys.readouterr().out == ""


def test_render_under_dry_writes_nothing(shop, capsys):
    """It says what it would write."""
    shop.run(schedule.render, dry=True)
    assert capsys.readouterr().out == f"write {DAILY}\nwrite {WEEKLY}\nwrite {STATUS}\n"
    assert not (shop.root / ".github").exists()


def test_check_of_what_is_missing(shop, capsys):
    """A line for each, with what mends it."""
    missing = [f"{file} is missing. Run 'inv schedule.render'." for file in (DAILY, WEEKLY, STATUS)]
    assert shop.fails(schedule.render, check=True) == (1, "\n".join(missing))
    assert capsys.readouterr().out.startswith(f"--- {DAILY}\n+++ {DAILY} as rendered\n@@ -0,0 +1,")
    assert not (shop.root / ".github").exists()


def test_check_shows_the_difference(rendered, capsys):
    """After a change of pyproject.toml: a unified diff, the command, and nothing written."""
    before = (rendered.root / DAILY).read_text()
    rendered.declare(PYPROJECT.replace("17 4", "19 5"))
    message = f"{DAILY} is not what pyproject.toml says. Run 'inv schedule.render'."
    assert rendered.fails(schedule.render, check=True) == (1, message)
    shown = capsys.readouterr().out
    assert (rendered.root / DAILY).read_text() == before
    rendered.run(schedule.render)
    after = (rendered.root / DAILY).read_text()
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), DAILY, f"{DAILY} as rendered", lineterm=""
    )
    assert shown == "\n".join(lines) + "\n"
    assert '+    - cron: "19 5 * * *"\n' in shown


def test_change_by_hand_is_refused_until_forced(rendered, capsys):
    """Nothing is written, other files included; what is between the marks is kept even then."""
    mark = "      # --- yours: env: begin ---\n"
    rendered.edit(DAILY, mark, f"{mark}      SHOP: north\n")
    rendered.edit(DAILY, "ubuntu-24.04", "ubuntu-latest")
    rendered.declare(PYPROJECT.replace("43 3", "45 3"))
    before = {file: (rendered.root / file).read_text() for file in (DAILY, WEEKLY)}
    changed = (
        f"{DAILY} was changed outside of the lines that are marked as yours. Move the change "
        "between them, or undo it with 'inv schedule.render --force'."
    )
    assert rendered.fails(schedule.render) == (3, f"Refused: {changed}")
    old = f"{WEEKLY} is not what pyproject.toml says. Run 'inv schedule.render'."
    assert rendered.fails(schedule.render, check=True) == (1, f"{changed}\n{old}")
    assert {file: (rendered.root / file).read_text() for file in before} == before
    capsys.readouterr()
    rendered.run(schedule.render, force=True)
    assert capsys.readouterr().out == f"Wrote {DAILY}\nWrote {WEEKLY}\n{STATUS} is up to date\n"
    golden = (FOLDER / "expire_trials.yml").read_text()
    assert (rendered.root / DAILY).read_text() == golden.replace(mark, f"{mark}      SHOP: north\n")


def test_file_of_somebody_else_is_refused(shop):
    """A workflow that happens to have the name of a job."""
    (shop.root / DAILY).parent.mkdir(parents=True)
    (shop.root / DAILY).write_text("on: push\n")
    message = (
        f"Refused: {DAILY} was not made by inv schedule.render. Rename it, or write over it with "
        "'inv schedule.render --force'."
    )
    assert shop.fails(schedule.render) == (3, message)
    assert not (shop.root / STATUS).exists()
    shop.run(schedule.render, force=True)
    shop.run(schedule.render, check=True)


def test_workflow_of_a_job_that_is_gone(rendered):
    """It would still run by the clock: nobody deletes it, and nobody forgets it."""
    rendered.declare(
        PYPROJECT.replace(
            "[tool.django-runbook.jobs.clearsessions]", "[tool.django-runbook.jobs.clear]"
        )
    )
    message = f"{WEEKLY} is of no declared job any more. Run 'git rm {WEEKLY}'."
    assert rendered.fails(schedule.render) == (1, message)
    assert rendered.fails(schedule.render, check=True) == (1, message)
    (rendered.root / WEEKLY).unlink()
    rendered.run(schedule.render, check=True)


def test_repository_must_be_named(shop):
    """To render; a check has nothing to say where the jobs run elsewhere."""
    shop.declare(PYPROJECT.replace('repository = "example/shop"', ""))
    shop.run(schedule.render, check=True)
    assert shop.fails(schedule.render) == (
        1,
        (
            f"{shop.root}/pyproject.toml: tool.django-runbook.schedule.repository is missing; "
            "allowed: the "
            'only repository where schedules run, as in repository = "owner/name".'
        ),
    )


def test_file_that_cannot_be_read_or_written(rendered):
    """One line, with the file."""
    (rendered.root / STATUS).write_bytes(b"\xff")
    code, message = rendered.fails(schedule.render)
    assert (code, message.count("\n")) == (1, 0)
    assert message.startswith(f"{rendered.root / STATUS} cannot be read: ")
    (rendered.root / STATUS).unlink()
    (rendered.root / STATUS).with_suffix(".yml").symlink_to("/proc/version/x")
    assert rendered.fails(schedule.render)[0] == 1


@pytest.mark.parametrize(
    ("form", "files", "between"),
    [
        ("crontab", ["expire_trials.crontab", "clearsessions.crontab"], "\n"),
        (
            "systemd",
            [
                *["expire_trials.service", "expire_trials.timer"],
                *["clearsessions.service", "clearsessions.timer"],
            ],
            "\n",
        ),
        ("kubernetes", ["expire_trials.yaml", "clearsessions.yaml"], "---\n"),
    ],
)
def test_export(shop, capsys, tmp_path, form, files, between):
    """Every job with a time, printed, or as files."""
    texts = [(FOLDER / name).read_text() for name in files]
    texts = [text.replace("'/srv/a shop 100\\%'", "/srv/shop") for text in texts]
    shop.run(schedule.export, form=form)
    assert capsys.readouterr().out == between.join(texts)
    shop.run(schedule.export, form=form, output="out")
    assert capsys.readouterr().out == "".join(f"Wrote out/{name}\n" for name in files)
    assert [(shop.root / "out" / name).read_text() for name in files] == texts


def test_export_of_one_job_from_where_the_repository_is(shop, capsys):
    """Without a folder in pyproject.toml, the lines are for this very machine."""
    shop.declare(PYPROJECT.replace('folder = "/srv/shop"\n', ""))
    shop.run(schedule.export, form="crontab", job="clearsessions")
    shown = capsys.readouterr().out
    assert shown.count("cd '") == 3
    assert f"cd '{shop.root}' && out=$(./inv jobs.run clearsessions " in shown
    message = (
        f"{shop.root}/pyproject.toml: tool.django-runbook.schedule.folder is missing, and "
        f"'{shop.root}' cannot stand in a unit; allowed: an absolute path without spaces, "
        'as in folder = "/srv/app".'
    )
    assert shop.fails(schedule.export, form="systemd") == (1, message)


@pytest.mark.parametrize(
    ("options", "end"),
    [
        (
            {"form": None},
            (2, "Say which form: crontab, systemd, kubernetes, as in: inv schedule.export systemd"),
        ),
        (
            {"form": "cron"},
            (2, "Say which form: crontab, systemd, kubernetes, as in: inv schedule.export systemd"),
        ),
        (
            {"form": "crontab", "job": "expire"},
            (2, "--job=expire is not declared under [tool.django-runbook.jobs]; expire_trials is."),
        ),
    ],
)
def test_export_of_nothing(shop, options, end):
    """Wrong usage, with what is allowed."""
    assert shop.fails(schedule.export, **options) == end


def test_next(shop, capsys):
    """Of each job with a time, in the order of pyproject.toml."""
    with time_machine.travel(datetime.datetime(2026, 10, 24, 12, tzinfo=datetime.UTC), tick=False):
        shop.run(schedule.next_slots, count="1")
    assert capsys.readouterr().out == (
        "job            UTC                   on the wall                 zone\n"
        "expire_trials  Sun 2026-10-25 04:17  Sun 2026-10-25 04:17 +0000  UTC\n"
        "clearsessions  Sun 2026-10-25 02:43  Sun 2026-10-25 03:43 +0100  Europe/Berlin\n"
    )
    shop.run(schedule.next_slots, job="expire_trials")
    assert len(capsys.readouterr().out.splitlines()) == 1 + 5


def test_next_of_nothing(shop):
    """A count that is none, a job without a time, and no job at all."""
    for count in ("0", "-1", "x", "1001", ""):
        end = (2, f"--count={count} is not a whole number from 1 to 1000.")
        assert shop.fails(schedule.next_slots, count=count) == end
    code, message = shop.fails(schedule.next_slots, job="by_hand")
    assert (code, message.partition(": ")[2]) == (
        1,
        (
            "tool.django-runbook.jobs.by_hand has no cron, and so no schedule; "
            'allowed: five fields, as in cron = "17 4 * * *".'
        ),
    )
    shop.declare('[tool.django-runbook]\nmanage = "manage.py"\n')
    end = (1, "No job has a cron under [tool.django-runbook.jobs] of pyproject.toml.")
    assert shop.fails(schedule.next_slots) == end


def test_lint(rendered, capsys):
    """Silent where nothing is found; else a line for each finding, and exit code 1."""
    rendered.run(schedule.lint)
    assert capsys.readouterr().out == ""
    (rendered.root / ".github/workflows/other.yaml").write_text(
        "on: {schedule: [{cron: 0 4 * * *}]}"
    )
    (rendered.root / DAILY).unlink()
    assert rendered.fails(schedule.lint) == (1, None)
    shown = re.findall(r"^(\S+:\d+: \S+) ", capsys.readouterr().out, re.MULTILINE)
    assert shown == [
        ".github/workflows/other.yaml:1: no-dispatch",
        ".github/workflows/other.yaml:1: top-of-the-hour",
        "pyproject.toml:11: no-workflow",
    ]


def test_lint_of_this_repository(capsys):
    """`inv schedule.lint` has nothing to say."""
    overrides = {"runbook": {"root": str(ROOT)}}
    schedule.lint(Context(Config(overrides=overrides)))
    assert capsys.readouterr().out == ""


def test_workflows_lie_where_github_looks():
    """The task and the renderer name the same place."""
    assert str(schedule.WORKFLOWS / "a.yml") == github.file_name("a")
