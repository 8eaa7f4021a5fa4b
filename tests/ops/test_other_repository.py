"""The kit in a repository that Django's own startproject made, with nothing of this product."""

import pytest

from tests.commands import BIN, Commands

pytestmark = pytest.mark.slow

TASKS = """\
from pathlib import Path

from django_runbook.tasks import kit

ns = kit(Path(__file__).parent)
"""


@pytest.fixture
def shop(tmp_path):
    """Return what runs `inv` in a new project: two settings, tasks.py, the kit's table."""
    root = tmp_path / "my shop"
    root.mkdir()
    commands = Commands(tmp_path)
    done = commands.run(BIN / "django-admin", "startproject", "shop", root)
    assert done.code == 0, done
    settings = root / "shop/settings.py"
    apps = 'INSTALLED_APPS = [\n    "django_runbook.schema",\n    "django_extensions",\n'
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [\n", apps))
    (root / "tasks.py").write_text(TASKS)
    (root / "pyproject.toml").write_text('[tool.django-runbook]\nmanage = "manage.py"\n')

    def inv(*argv, **extra):
        return commands.run(BIN / "inv", *argv, cwd=root, **extra)

    inv.root = root
    return inv


@pytest.mark.slow
def test_tasks_work_in_any_repository(shop):
    """Migrate, show, look, back up, guard, and the doctor: all as in this one."""
    assert shop("db.migrate").code == 0
    shown = shop("db.show", "sessions")
    assert (shown.code, shown.out) == (0, "sessions\n [X] 0001_initial\n")
    assert shop("db.check").out == "Migrations: nothing wrong\n"
    asked = shop("db.shell", "--sql", "SELECT count(*) FROM auth_user")
    assert (asked.code, asked.out.strip().splitlines()[-1].strip("│ ")) == (0, "0")
    saved = shop("db.backup", "--output=saved")
    assert saved.code == 0, saved
    assert (shop.root / "saved").exists()
    doctor = shop("doctor")
    assert doctor.code == 0, doctor
    assert f"sqlite {shop.root}/db.sqlite3" in doctor.out


def test_without_the_app_the_tasks_say_what_to_add(shop):
    """A repository that forgot INSTALLED_APPS is told in one line."""
    settings = shop.root / "shop/settings.py"
    settings.write_text(settings.read_text().replace('    "django_runbook.schema",\n', ""))
    done = shop("db.flush")
    assert (done.code, done.out) == (1, "")
    assert done.err == 'Add "django_runbook.schema" to INSTALLED_APPS: it tells the target.\n'
