"""`manage.py`: the settings that were named are the ones that are used; colours where wanted."""

import os
import sys

import pexpect
import pytest

from tests.commands import BIN, ROOT, Commands

pytestmark = pytest.mark.slow

MANAGE = """\
from django_runbook.manage import main

if __name__ == "__main__":
    main("shop.settings")
"""
OTHER = "from shop.settings import *\nDATABASES['default']['NAME'] = BASE_DIR / 'other.sqlite3'\n"


@pytest.fixture
def shop(tmp_path):
    """Return what runs the manage.py of a new project, which has settings outside of it too."""
    root = tmp_path / "my shop"
    (root / "elsewhere").mkdir(parents=True)
    commands = Commands(tmp_path)
    assert commands.run(BIN / "django-admin", "startproject", "shop", root).code == 0
    apps = '    "django_runbook.schema",\n    "django_runbook.jobs",\n    "django_extensions",\n'
    settings = root / "shop/settings.py"
    settings.write_text(settings.read_text().replace("APPS = [\n", f"APPS = [\n{apps}"))
    (root / "elsewhere/other.py").write_text(OTHER)
    (root / "manage.py").write_text(MANAGE)

    def manage(*argv, **extra):
        return commands.run(sys.executable, "manage.py", *argv, cwd=root, **extra)

    manage.root = root
    return manage


ELSEWHERE = ("--settings=other", "--pythonpath=elsewhere")
SPELLINGS = (ELSEWHERE, ("--pythonpath", "elsewhere", "--settings", "other"))


@pytest.mark.parametrize("named", SPELLINGS)
def test_the_settings_that_are_named_are_used(shop, named):
    """Every command works on their database alone, and the default's is not even made."""
    assert shop("migrate", *named).code == 0
    files = sorted(file.name for file in shop.root.glob("*.sqlite3"))
    assert files == ["other.sqlite3"]
    target = shop("target", *named)
    assert f"{shop.root}/other.sqlite3" in target.out


def test_what_destroys_spares_the_others(shop):
    """reset_db and flush with --settings leave the default's database as it was."""
    assert shop("migrate", "-v0").code == 0
    assert shop("migrate", "-v0", *ELSEWHERE).code == 0
    default = (shop.root / "db.sqlite3").read_bytes()
    name = f"--confirm={shop.root}/other.sqlite3"
    for command in (("flush", "--noinput"), ("reset_db", "--noinput")):
        done = shop(*command, *ELSEWHERE)
        if done.code == 3:
            done = shop(*command, *ELSEWHERE, name)
        assert done.code == 0, done
        assert (shop.root / "db.sqlite3").read_bytes() == default


def test_a_job_has_the_settings_of_its_run(shop):
    """The process that run_job starts uses the same settings, from the same path."""
    assert shop("migrate", "-v0", *ELSEWHERE).code == 0
    done = shop("run_job", *ELSEWHERE, "target", "--", "--json")
    assert done.code == 0, done
    assert f"{shop.root}/other.sqlite3" in done.out
    assert not (shop.root / "db.sqlite3").exists()


def test_what_is_passed_on_is_not_taken(shop):
    """Behind -- the two options are the other command's."""
    assert shop("migrate", "-v0").code == 0
    done = shop("run_job", "target", "--", "--json", *ELSEWHERE)
    assert done.code == 0, done
    assert f"{shop.root}/other.sqlite3" in done.out
    assert "1  target" in shop("job_history").out


def test_settings_that_are_not_there_are_one_line(shop):
    """Their name is in it, and nothing is done with others."""
    done = shop("migrate", "--settings=nowhere")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Import: No module named 'nowhere' (")
    assert done.err.count("\n") == 1
    assert not (shop.root / "db.sqlite3").exists()


@pytest.mark.parametrize(
    ("extra", "argv", "coloured"),
    [
        ({}, (), True),
        ({"NO_COLOR": ""}, (), True),
        ({"NO_COLOR": "1"}, (), False),
        ({"TERM": "dumb"}, (), False),
        ({}, ("--no-color",), False),
        ({"NO_COLOR": "1"}, ("--force-color",), True),
    ],
)
def test_an_error_has_colours_where_they_are_wanted(tmp_path, extra, argv, coloured):
    """NO_COLOR and TERM=dumb hold for Django's own errors; what is typed wins."""
    env = Commands(tmp_path).env({"DATABASE_URL": "sqlite://:memory:", **extra})
    manage = str(ROOT / "backend/manage.py")
    shown = pexpect.spawn(
        sys.executable, [manage, "list_jobs", *argv], env=env, encoding="utf-8", timeout=60
    )
    shown.expect(pexpect.EOF)
    shown.close()
    assert shown.exitstatus == 3
    assert "CommandError: runbook_jobs.0001_initial is not applied" in shown.before
    assert ("\x1b[" in shown.before) == coloured


def test_a_command_that_is_not_there_is_named_with_the_near_one(commands):
    """One line, exit code 2."""
    done = commands.manage("migrat", DATABASE_URL="sqlite://:memory:")
    assert (done.code, done.out) == (2, "")
    assert done.err == "Unknown command: 'migrat'. Did you mean migrate?\n"
    done = commands.manage("xyzzy", DATABASE_URL="sqlite://:memory:", PATH=os.environ["PATH"])
    assert done.err == "Unknown command: 'xyzzy'. 'manage.py help' lists them.\n"
