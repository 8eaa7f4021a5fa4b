"""A fresh checkout gets its `.env`; a server that was not configured does not."""

import secrets
import stat
import threading

import pytest
from invoke import Exit

from django_runbook.tasks.processes import dotenv

EXAMPLE = "# For development.\nDEBUG=true\nSECRET_KEY=\nDATABASE_URL=sqlite:///x\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return a fresh checkout, on a machine whose environment says nothing."""
    for name in dotenv.SPEAKS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".env.example").write_text(EXAMPLE)
    return tmp_path


def test_made_from_the_example_with_a_random_key(root, capsys):
    """The example's lines, a key of at least 50 characters, for the owner's eyes alone."""
    dotenv.ensure(root)
    text = (root / ".env").read_text()
    before, key, after = text.partition("SECRET_KEY=")[0], text, text.partition("DATABASE_URL")[2]
    key = text.partition("SECRET_KEY=")[2].partition("\n")[0]
    assert (before, after) == ("# For development.\nDEBUG=true\n", "=sqlite:///x\n")
    assert len(key) >= 50
    assert stat.S_IMODE((root / ".env").stat().st_mode) == 0o600
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "Made .env from .env.example, with a random SECRET_KEY.\n",
    )
    assert list(root.glob(".env.*")) == [root / ".env.example"]


def test_two_checkouts_have_two_keys():
    """The key is random."""
    assert dotenv.filled_in(EXAMPLE) != dotenv.filled_in(EXAMPLE)


def test_key_of_the_example_is_never_taken(root):
    """What stands in the repository is no secret."""
    (root / ".env.example").write_text("SECRET_KEY=known-to-all\n")
    dotenv.ensure(root)
    assert "known-to-all" not in (root / ".env").read_text()


def test_example_that_cannot_be_read_is_named(root):
    """It is one line, and no file is made."""
    (root / ".env.example").write_bytes(b"# \xff\n")
    with pytest.raises(Exit) as refused:
        dotenv.ensure(root)
    assert refused.value.message == f"{root}/.env.example is not UTF-8. Save it as that."
    assert not (root / ".env").exists()


def test_not_made_outside_a_checkout(root):
    """A deployed image has the example, and no use for its DEBUG."""
    (root / ".git").rmdir()
    dotenv.ensure(root)
    assert not (root / ".env").exists()


@pytest.mark.parametrize("name", dotenv.SPEAKS)
def test_not_made_where_the_environment_speaks(root, monkeypatch, name):
    """In CI, and where a database is named, nothing is made up."""
    monkeypatch.setenv(name, "x")
    dotenv.ensure(root)
    assert not (root / ".env").exists()


def test_an_existing_file_is_left_alone(root):
    """What the developer wrote stays."""
    (root / ".env").write_text("mine")
    dotenv.ensure(root)
    assert (root / ".env").read_text() == "mine"


def test_without_an_example_nothing_is_made(root):
    """A repository that has no `.env.example` configures itself in its own way."""
    (root / ".env.example").unlink()
    dotenv.ensure(root)
    assert not (root / ".env").exists()


def test_dry_run_lends_the_variables_and_writes_nothing(root, monkeypatch):
    """Under --dry the read-only processes of the task get what the file would hold."""
    monkeypatch.setenv("DEBUG", "false")
    monkeypatch.setattr(dotenv.os, "environ", environ := dict(dotenv.os.environ))
    dotenv.ensure(root, dry=True)
    assert not (root / ".env").exists()
    assert (environ["DEBUG"], environ["DATABASE_URL"]) == ("false", "sqlite:///x")
    assert len(environ["SECRET_KEY"]) >= 50


def test_the_faster_task_wins(root, monkeypatch):
    """A file that appears while this one is prepared stays: its key may be in use already."""

    def meanwhile(_length):
        (root / ".env").write_text("theirs")
        return "ours"

    monkeypatch.setattr(secrets, "token_urlsafe", meanwhile)
    dotenv.ensure(root)
    assert (root / ".env").read_text() == "theirs"


def test_many_at_once_make_one(root):
    """Tasks started together end with one file, whole."""
    threads = [threading.Thread(target=dotenv.ensure, args=(root,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (root / ".env").read_text().count("SECRET_KEY=") == 1
    assert list(root.glob(".env.*")) == [root / ".env.example"]


NOTHING = dict.fromkeys(dotenv.SPEAKS)


def test_no_task_of_another_repository_makes_one(repository):
    """What nobody asked for is not written: its image may hold the example as well."""
    (repository.root / ".git").mkdir()
    (repository.root / ".env.example").write_text(EXAMPLE)
    for argv in (("manage", "--", "check"), ("db.show",), ("dev.setup",)):
        assert repository.inv(*argv, **NOTHING).code == 0, argv
        assert not (repository.root / ".env").exists(), argv


def test_setup_makes_one_where_the_settings_do_not_load(repository):
    """It is asked for there; the tasks after it find what they need."""
    (repository.root / ".git").mkdir()
    (repository.root / ".env.example").write_text(EXAMPLE)
    manage = repository.root / "src/manage.py"
    needs = (
        "import pathlib, sys\npathlib.Path('.env').exists() or sys.exit('SECRET_KEY is not set')\n"
    )
    manage.write_text(needs + manage.read_text())
    done = repository.inv("manage", "--", "check", **NOTHING)
    assert (done.code, done.err) == (1, "SECRET_KEY is not set\n")
    done = repository.inv("dev.setup", **NOTHING)
    assert done.code == 0, done
    assert "Made .env from .env.example, with a random SECRET_KEY.\n" in done.err
    assert repository.inv("manage", "--", "check", **NOTHING).code == 0
