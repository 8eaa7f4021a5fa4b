"""This repository's own tasks, as a user meets them."""

import http.cookiejar
import json
import re
import shlex
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.checkouts import copy_project
from tests.commands import BIN

SAMPLES = ("create_sample_accounts", "--count=400")


NOT_APPLIED = (
    "CommandError: contenttypes.0001_initial and 22 more are not applied. "
    "Run 'inv db.migrate' first.\n"
)


@pytest.fixture
def behind(commands, empty_database_url):
    """Return the URL of a database in which the first of all migrations alone is applied."""
    argv = ("migrate", "--verbosity=0", "contenttypes", "0001")
    assert commands.manage(*argv, DATABASE_URL=empty_database_url).code == 0
    return empty_database_url


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_expire_migrates_an_embedded_file_first(commands, behind):
    """In an SQLite file missing migrations are applied, on standard error, and the job runs."""
    first = commands.inv("expire", "--json", DATABASE_URL=behind)
    file = behind.removeprefix("sqlite:///")
    assert first.code == 0
    assert first.err == f"Applying 22 migration(s) to {file}\n"
    assert json.loads(first.out)["expired"] == 0
    second = commands.inv("expire", DATABASE_URL=behind)
    assert (second.code, second.err) == (0, "")
    assert second.out == "Search for old trial accounts...\nExpired 0 trial(s)\n"


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_expire_refuses_a_server_that_is_not_migrated(commands, empty_database_url):
    """Anywhere else nothing is migrated on the way: the command to run is named, exit code 3."""
    done = commands.inv("expire", DATABASE_URL=empty_database_url)
    assert (done.code, done.out, done.err) == (3, "", NOT_APPLIED)


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["local", "production"])
@pytest.mark.parametrize("argv", [("expire",), ("expire", "--dry-run"), ("jobs.status",)])
def test_misspelt_file_is_no_such_file(commands, tmp_path, environment, argv):
    """Whoever named a file that is not there reads so, as of any task, and none is made."""
    file = tmp_path / "mispelt.sqlite3"
    url = f"sqlite:///{file}"
    done = commands.inv(*argv, DATABASE_URL=url, ENVIRONMENT=environment)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"NoSuchFileError: {file}: no such file. Check the path in DATABASE_URL or DATABASES; "
        "'inv db.migrate' makes a new database.\n"
    )
    assert list(tmp_path.iterdir()) == []
    assert commands.inv("db.migrate", DATABASE_URL=url).code == 0
    assert commands.inv(*argv, DATABASE_URL=url).code == 0


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_expire_has_every_option_of_the_command(commands, database_url):
    """--dry-run, --as-of and --json, and Django's own after `--`."""
    assert commands.manage(*SAMPLES, DATABASE_URL=database_url).code == 0
    past = "--as-of=2020-01-01T00:00Z"
    dry = commands.inv("expire", "--dry-run", past, "--json", DATABASE_URL=database_url)
    found = json.loads(dry.out)
    assert found["as_of"] == "2020-01-01T00:00:00+00:00"
    assert found["cutoff"] == "2019-11-01T00:00:00+00:00"
    assert (found["dry_run"], found["due"], found["run"]) == (True, 0, None)
    run = commands.inv("expire", "--json", "--", "--verbosity=0", DATABASE_URL=database_url)
    assert json.loads(run.out)["expired"] == json.loads(run.out)["due"] > 0


@pytest.mark.engines("sqlite")
def test_expire_ends_with_the_commands_code(commands, database_url):
    """Wrong usage is 2, a refusal 3, as the command has it."""
    wrong = commands.inv("expire", "--as-of=soon", DATABASE_URL=database_url)
    refused = commands.inv("expire", "--as-of=2999-01-01T00:00Z", DATABASE_URL=database_url)
    assert (wrong.code, refused.code) == (2, 3)
    assert refused.err.startswith("CommandError: 2999-01-01T00:00:00+00:00 is in the future")


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_dry_expire_prints_its_two_steps(commands, behind):
    """--dry asks for the target, which only reads, prints what would run, and applies nothing."""
    for _ in range(2):
        done = commands.inv("--dry", "expire", "--dry-run", DATABASE_URL=behind)
        lines = done.out.splitlines()
        assert [line.partition("manage.py ")[2] for line in lines] == [
            "migrate --verbosity=0",
            "expire_trials --dry-run",
        ]
        assert (done.code, done.err) == (0, "")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a checkout of the project without `.env` and databases, in a folder with a space."""
    return copy_project(tmp_path)


FRESH = {"ENV_FILE": None, "DEBUG": None, "SECRET_KEY": None, "PYTHONPATH": None}
DEMO_IS = "ENVIRONMENT=demo DEBUG=true DATABASE_URL=sqlite:///var/demo.sqlite3"
DEMO_LOGIN = r"http://127\.0\.0\.1:8000/admin/ as demo, with the password (\S{12})"


def test_fresh_checkout_configures_itself(commands, copy):
    """The first task makes `.env`; the database is the one under var/."""
    first = commands.run(BIN / "inv", "expire", "--dry-run", cwd=copy, **FRESH)
    database = copy / "var/db.sqlite3"
    assert first.code == 0
    assert first.err == (
        "Made .env from .env.example, with a random SECRET_KEY.\n"
        f"Applying 23 migration(s) to {database}\n"
    )
    assert first.out.startswith("Search for old trial accounts...\nWould expire 0 trial(s) created")
    assert database.exists()


@pytest.mark.slow
def test_unconfigured_server_says_so(commands, copy):
    """In CI no `.env` is made: what is missing is named, and nothing runs."""
    done = commands.run(BIN / "inv", "expire", cwd=copy, CI="true", **FRESH)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Settings: SECRET_KEY is not set: ")
    assert not (copy / ".env").exists()


@pytest.mark.slow
def test_demo_shows_the_job_from_end_to_end(commands, copy):
    """Migrate, samples, dry run, expiry, before and after, and the ledger with one undone run."""
    (copy / "var/demo.sqlite3").write_text("what an earlier demo left")
    done = commands.run(BIN / "inv", "demo", cwd=copy, CI="true", NO_COLOR="1", **FRESH)
    assert done.code == 0, done
    assert re.fullmatch(
        r"Undo run 1 of expire_trials: accounts.account, status TRIAL_EXPIRED -> TRIALING, "
        r"\d+ row\(s\) in \d+ batch(es)?, in: demo sqlite \S.*demo\.sqlite3\n",
        done.err,
    )
    lines = done.out.splitlines()
    assert lines[:4] == [
        "$ manage.py migrate --verbosity=0",
        "$ manage.py create_sample_accounts --count=5000",
        "Created 5000 sample account(s)",
        "$ manage.py expire_trials --dry-run",
    ]
    would = next(line for line in lines if line.startswith("Would expire")).split()[2]
    expired = next(line for line in lines if line.startswith("Expired")).split()[1]
    assert int(would) == int(expired) > 0
    rows = {cells[1]: cells for line in lines if len(cells := line.split()) > 6}
    assert rows["TRIALING"][7] == f"-{expired}"
    assert rows["TRIAL_EXPIRED"][7] == f"+{expired}"
    ledger = [line.split()[:3] for line in lines[-8:-5]]
    assert ledger == [[number, "expire_trials", "SUCCEEDED"] for number in "321"]
    assert [line.rpartition("; ")[2] for line in lines[-7:-5]] == [
        "undo of run 1",
        "undone by run 2",
    ]
    assert lines[-5:-1] == [
        "$ manage.py createsuperuser --noinput --username=demo --email=demo@example.com",
        "Superuser created successfully.",
        "The demo's database is var/demo.sqlite3. To look at its jobs:",
        f"$ {DEMO_IS} ./inv dev.serve",
    ]
    assert re.fullmatch(DEMO_LOGIN, lines[-1])


@pytest.mark.slow
def test_demo_can_be_looked_at_as_it_says(commands, copy):
    """The line that it prints serves its database, to the user that it has made, and to nobody."""
    done = commands.run(BIN / "inv", "demo", "--accounts=400", cwd=copy, **FRESH)
    assert done.code == 0, done
    *_, pasted, login = done.out.splitlines()
    password = re.fullmatch(DEMO_LOGIN, login)[1]
    pasted = pasted.removeprefix("$ ").replace("./inv", f"exec {shlex.quote(str(BIN / 'inv'))}")
    log = copy / "served"
    with log.open("wb") as out:
        served = subprocess.Popen(
            ["sh", "-c", f"{pasted} 127.0.0.1:0 -- --noreload"],
            cwd=copy,
            env=commands.env({**FRESH, "PYTHONUNBUFFERED": "1"}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        at = address(served, log)
        assert "3 runs" not in runs_seen(at, "another")
        assert "3 runs" in runs_seen(at, password)
    finally:
        served.terminate()
        served.wait(20)


def address(served: "subprocess.Popen[bytes]", log: Path) -> str:
    """Return where a server listens, as it says."""
    until = time.monotonic() + 30
    while not (found := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text("utf-8"))):
        assert served.poll() is None, log.read_text("utf-8")
        assert time.monotonic() < until, log.read_text("utf-8")
        time.sleep(0.05)
    return found[0]


def runs_seen(at: str, password: str) -> str:
    """Return the page of the runs, as the demo's user sees it after having logged in."""
    cookies = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    login = f"{at}admin/login/?next=/admin/runbook_jobs/run/"
    opener.open(login).close()
    token = next(cookie.value for cookie in cookies if cookie.name == "csrftoken")
    words = {"username": "demo", "password": password, "csrfmiddlewaretoken": token}
    with opener.open(login, urllib.parse.urlencode(words).encode()) as answer:
        return answer.read().decode()


def test_dry_demo_prints_its_steps_and_makes_nothing(commands, copy):
    """The commands, with the key masked."""
    done = commands.run(BIN / "inv", "--dry", "demo", cwd=copy, **FRESH)
    lines = done.out.splitlines()
    assert [line.partition("manage.py ")[2] for line in lines] == [
        "migrate --verbosity=0",
        "create_sample_accounts --count=5000",
        "expire_trials --dry-run",
        "expire_trials",
        "undo_run 1",
        "expire_trials",
        "job_history",
        "createsuperuser --noinput --username=demo --email=demo@example.com",
    ]
    assert all("SECRET_KEY=*** " in line for line in lines)
    assert "DJANGO_SUPERUSER_PASSWORD=*** " in lines[-1]
    assert list((copy / "var").iterdir()) == []
    assert not (copy / ".env").exists()


@pytest.mark.slow
def test_check_shows_every_failure_and_one_table(commands, copy):
    """Every broken gate is shown, each with its command; the others still run."""
    workflow = copy / ".github/workflows/expire_trials.yml"
    broken = workflow.read_text("utf-8").replace("permissions: {}", "permissions: write-all")
    workflow.write_text(broken, "utf-8")
    file = copy / "backend/users/apps.py"
    file.write_text(file.read_text("utf-8") + '\n\nimport os\n\nx: int = ""\n', "utf-8")
    done = commands.run(BIN / "inv", "check", cwd=copy, CI="true", **FRESH)
    gates = dict(line.split()[:2] for line in done.out.splitlines() if line.endswith(" s"))
    assert done.code == 1
    assert gates == {
        "lint": "FAILED",
        "format": "ok",
        "types": "FAILED",
        "django": "ok",
        "squashes": "ok",
        "jobs": "ok",
        "schedule": "FAILED",
        "security": "FAILED",
        "workflows": "ok",
        "dependabot": "ok",
        **({"actionlint": "FAILED"} if shutil.which("actionlint") else {}),
    }
    assert "--- lint: " in done.out
    assert "F401" in done.out
    assert 'expression has type "str"' in done.out


@pytest.mark.slow
def test_test_passes_options_and_paths_on(commands):
    """`inv test` hands what stands after `--` to pytest, and ends with its summary line."""
    argv = ("test", "--", "-q", "-n0", "--collect-only", "tests/backend/test_accounts.py")
    done = commands.inv(*argv)
    assert (done.code, done.err) == (0, "")
    assert "test_accounts.py::test_opened_with_the_user[postgresql]" in done.out
    assert re.fullmatch(r"\d+ tests collected in \S+s", done.out.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_expire_migrates_nothing_of_a_protected_file(commands, behind):
    """On a production SQLite file it refuses, as on a server, and leaves the file as it is."""
    file = Path(behind.removeprefix("sqlite:///"))
    before = file.read_bytes()
    done = commands.inv("expire", DATABASE_URL=behind, ENVIRONMENT="production")
    assert (done.code, done.out) == (3, "")
    assert done.err == NOT_APPLIED.replace(
        "contenttypes.0001_initial and 22", "contenttypes.0002_remove_content_type_name and 21"
    )
    assert file.read_bytes() == before
