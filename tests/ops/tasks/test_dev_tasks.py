"""Each `dev` task for real."""

import re
import signal
import socket
import subprocess
import urllib.request

import pytest

from tests.commands import BIN, ROOT

pytestmark = [pytest.mark.engines("sqlite"), pytest.mark.slow]


def test_shell_has_the_models(commands, database_url):
    """shell_plus has imported every model."""
    code = ("--", "--quiet-load", "--plain", "--command=print(Account.objects.count(), User)")
    done = commands.inv("dev.shell", *code, DATABASE_URL=database_url)
    assert done.code == 0, done
    assert done.out.splitlines()[-1] == "0 <class 'users.models.User'>"


def test_superuser_is_asked_for_in_a_terminal(commands, database_url):
    """The question comes from Django; no name or password is made up."""
    terminal = commands.terminal("dev.superuser", DATABASE_URL=database_url)
    terminal.expect_exact("Username")
    terminal.sendline("ada")
    terminal.expect_exact("Email")
    terminal.sendline("")
    for _again in range(2):
        terminal.expect_exact("Password")
        terminal.sendline("correct horse battery staple")
    terminal.expect_exact("Superuser created successfully.")
    terminal.expect_exact("\n")
    terminal.wait()
    assert terminal.exitstatus == 0


def test_serve_answers_and_ctrl_c_ends_it(commands, database_url):
    """The site is served on the port, until Ctrl-C."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = subprocess.Popen(
        [BIN / "inv", "dev.serve", str(port), "--", "--noreload"],
        cwd=ROOT,
        env=commands.env({"DATABASE_URL": database_url, "PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in started.stdout:
        if "Quit the server" in line:
            break
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/admin/login/", timeout=10) as page:
        assert b"Django administration" in page.read()
    started.send_signal(signal.SIGINT)
    started.communicate(timeout=20)
    assert started.returncode == 0


def test_urls_are_listed(commands, database_url):
    """Each URL with its view and name."""
    done = commands.inv("dev.urls", DATABASE_URL=database_url)
    assert done.code == 0
    assert re.search(r"^/admin/login/\t.+\tadmin:login$", done.out, re.MULTILINE)


def test_setup_migrates_and_looks(commands, empty_database_url):
    """A new database ends migrated, with a diagnosis."""
    done = commands.inv("dev.setup", DATABASE_URL=empty_database_url)
    assert done.code == 0
    assert done.out.splitlines()[-1] == "OK     migrations  all applied, none missing"


def test_setup_refuses_a_protected_target(commands, empty_database_url):
    """It is for a developer's database alone."""
    done = commands.inv("dev.setup", DATABASE_URL=empty_database_url, ENVIRONMENT="production")
    assert (done.code, done.out) == (3, "")
    assert done.err.endswith("is protected; setup is for a developer's database.\n")


@pytest.fixture
def copy(repository, commands):
    """Return the other repository with the product's real manage.py and settings."""
    for name in ("project", "users", "accounts"):
        for file in (ROOT / "backend" / name).rglob("*.py"):
            there = repository.root / "src" / file.relative_to(ROOT / "backend")
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(file.read_bytes())
    (repository.root / "src/manage.py").write_bytes((ROOT / "backend/manage.py").read_bytes())
    return repository


def test_app_starts_beside_the_others_and_static_files_are_collected(copy):
    """startapp writes where the other apps are, once; collectstatic fills STATIC_ROOT."""
    env = {"DATABASE_URL": "sqlite://:memory:"}
    dry = copy.inv("--dry", "dev.app", "billing", **env)
    assert (dry.code, dry.out.count("\n"), dry.err) == (0, 1, "")
    done = copy.inv("dev.app", "billing", **env)
    assert (done.code, done.out) == (0, ""), done
    assert done.err == 'Next: add "billing" to INSTALLED_APPS.\n'
    assert (copy.root / "src/billing/models.py").exists()
    again = copy.inv("dev.app", "billing", **env)
    assert (again.code, again.out) == (3, "")
    assert again.err == f"{copy.root}/src/billing exists already; nothing was written.\n"
    clash = copy.inv("dev.app", "django", **env)
    assert clash.code == 1
    assert not (copy.root / "src/django").exists()
    static = copy.inv("dev.static", **env)
    assert static.code == 0
    assert (copy.root / "var/static/admin/css/base.css").exists()


def test_make_and_squash_write_files(copy):
    """An empty migration is written, and Django squashes it, in a repository not this one."""
    env = {"DATABASE_URL": "sqlite://:memory:"}
    made = copy.inv("db.make", "users", "--empty", "--name", "by_hand", **env)
    assert made.code == 0, made
    folder = copy.root / "src/users/migrations"
    assert (folder / "0004_by_hand.py").exists()
    squashed = copy.inv("manage", "--", "squashmigrations", "users", "0004", "--no-input", **env)
    assert squashed.code == 0, squashed
    assert "replaces = [" in (folder / "0001_squashed_0004_by_hand.py").read_text()


def test_fix_mends_and_formats(copy):
    """`inv fix` takes an unused import out and formats; `inv lint` has nothing to say then."""
    with (copy.root / "pyproject.toml").open("a") as settings:
        settings.write('[tool.ruff.lint]\nselect = ["F"]\n')
    file = copy.root / "src/untidy.py"
    file.write_text("import os\nx = {  'a':1 }\n")
    assert copy.inv("lint").code == 1
    assert copy.inv("fix").code == 0
    assert file.read_text() == 'x = {"a": 1}\n'
    assert copy.inv("lint").code == 0
