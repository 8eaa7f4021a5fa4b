"""A checkout that its user cannot write: each task works, or ends in one line."""

import os
import stat
from pathlib import Path

import pytest

from tests.checkouts import copy_project
from tests.commands import BIN, Commands, Done

#: Root writes everywhere, but for the right to do so it is a user as any other.
AS_A_USER = (
    *("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--"),
)
FRESH = {"ENV_FILE": None, "DEBUG": None, "SECRET_KEY": None, "PYTHONPATH": None}


class ReadOnly:
    """Runs `inv` in a copy of this checkout that it cannot write."""

    def __init__(self, folder: Path) -> None:
        self.commands = Commands(folder)
        self.root = copy_project(folder)
        for path in (self.root, *self.root.rglob("*")):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
        self.before = self.content()

    def content(self) -> set[Path]:
        return set(self.root.rglob("*"))

    def inv(self, *argv: str, **extra: str | None) -> Done:
        user = AS_A_USER if os.geteuid() == 0 else ()
        return self.commands.run(*user, BIN / "inv", *argv, cwd=self.root, **extra)


@pytest.fixture
def checkout(tmp_path):
    """Return such a checkout; afterwards nothing is in it that was not, and it can be deleted."""
    made = ReadOnly(tmp_path)
    yield made
    assert made.content() == made.before
    for path in made.before | {made.root}:
        path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o200)


@pytest.mark.slow
def test_user_really_cannot_write(checkout):
    """Neither a new file nor an old one: what follows would prove nothing otherwise."""
    user = AS_A_USER if os.geteuid() == 0 else ()
    for name in ("new", "inv"):
        done = checkout.commands.run(*user, "sh", "-c", ': >>"$0"', checkout.root / name)
        assert done.code != 0
        assert "Permission denied" in done.err


WORKING = (
    "--list",
    "doctor",
    "db.check",
    "db.drift",
    "db.migrate",
    "db.show users",
    "db.sizes",
    "expire",
    "jobs.history",
    "jobs.list",
    "jobs.status",
    "schedule.next",
    "db.backup --output={saved}",
    "db.shell --sql SELECT(1)",
)


@pytest.mark.slow
@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("line", WORKING)
def test_what_writes_nowhere_else_works(checkout, database_url, tmp_path, line):
    """Readers, a job and a backup need their database and no place in the checkout."""
    argv = [word.format(saved=tmp_path / "saved") for word in line.split()]
    done = checkout.inv(*argv, DATABASE_URL=database_url, PATH=os.environ["PATH"])
    assert done.code == 0, done
    assert done.out
    assert "Traceback" not in done.err


REASONS = ("Permission denied", "cannot be written", "unable to open database file")
WRITING = (
    "db.backup",
    "db.make --empty users",
    "demo",
    "dev.app billing",
    "dev.static",
    "fix",
    "graph",
)


@pytest.mark.slow
@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("line", WRITING)
def test_what_writes_there_ends_in_one_line(checkout, database_url, line):
    """With exit code 1, the place or what cannot be opened, and no traceback."""
    done = checkout.inv(*line.split(), DATABASE_URL=database_url, PATH=os.environ["PATH"])
    assert (done.code, done.err.count("\n")) == (1, 1), done
    assert any(map(done.err.count, REASONS)), done
    assert "Traceback" not in done.out


@pytest.mark.slow
@pytest.mark.parametrize("line", ["check", "lint", "types"])
def test_gates_do_without_their_caches(checkout, line):
    """They need neither a cache nor a `.env`."""
    done = checkout.inv(line, **FRESH)
    assert (done.code, done.err) == (0, ""), done
    assert "FAILED" not in done.out


@pytest.mark.slow
def test_pytest_does_without_its_cache(checkout):
    """The tests run, where they themselves write nothing into the checkout."""
    done = checkout.inv("test", "--", "-q", "-n0", "--noconftest", "tests/ops/text/test_reports.py")
    assert (done.code, done.err) == (0, ""), done


@pytest.mark.slow
@pytest.mark.parametrize("argv", [("db.show",), ("expire",), ("manage", "--", "check")])
def test_settings_that_cannot_be_made_up(checkout, argv):
    """Where no `.env` can be made, the line says what to set, and nothing runs."""
    done = checkout.inv(*argv, **FRESH)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"{checkout.root}/.env cannot be made: Permission denied. Set DATABASE_URL and SECRET_KEY "
        "in the environment, or make the checkout writable.\n"
    )


@pytest.mark.slow
def test_doctor_says_so_too(checkout):
    """As one of its lines, beside all that it can look at."""
    done = checkout.inv("doctor", **FRESH)
    wrong = [line for line in done.out.splitlines() if line.startswith("WRONG")]
    assert (done.code, done.err, len(wrong)) == (1, "", 1)
    assert f"{checkout.root}/.env cannot be made: Permission denied." in wrong[0]
