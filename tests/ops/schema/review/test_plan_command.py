"""The command that prints a plan."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.commands import Commands
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.review.planning import (
    DROP,
    ITEM,
    record,
    target_fixture,
)

__all__ = ["target_fixture"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(target: BaseDatabaseWrapper) -> Run:
    """Return what runs the command: exit code, output and error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        out = StringIO()
        try:
            call_command("plan_migrations", *arguments, "--rows=20", stdout=out, no_color=True)
        except CommandError as error:
            return error.returncode, out.getvalue(), str(error)
        return 0, out.getvalue(), ""

    return call


def test_command(run: Run, make_app: MakeApp, tmp_path: Path) -> None:
    """Exit code 1 on a danger, in each form; 0 where nothing is pending."""
    make_app("shop", m0001_initial=ITEM, m0002_less=DROP.format(""))
    record(("shop", "0002_less"))
    comment = tmp_path / "comment.md"
    message = (
        "1 danger not accepted: shop.0002_less: drop-column. Rewrite it, or write "
        "'# accepts RULE: REASON' above the operation."
    )
    code, out, err = run("--comment", str(comment))
    assert (code, err) == (1, message)
    assert out.startswith("1 migration: 1 danger")
    assert comment.read_text("utf-8").startswith("## 1 migration: 1 danger")
    code, out, err = run("shop", "--json", "--engine=sqlite")
    assert (code, err, json.loads(out)["engine"]) == (1, message, "sqlite")
    assert run("users") == (0, "No migration to look at.\n", "")
    assert run("users", "--markdown") == (0, "## No migration to look at\n", "")


def test_command_refuses(run: Run, make_app: MakeApp, tmp_path: Path) -> None:
    """What cannot be planned is one line with what mends it; wrong words are exit code 2."""
    make_app("shop", m0001_initial=ITEM, m0002_a="[]", m0002_b="[]")
    folder = make_app("bare")
    (folder / "__init__.py").unlink()
    folder.rmdir()
    (tmp_path / "apps/shop/migrations/0002_b.py").write_text(
        (tmp_path / "apps/shop/migrations/0002_a.py").read_text()
    )
    conflict = "shop has conflicting leaves: 0002_a, 0002_b. Run 'inv db.make shop --merge'."
    assert run("shop") == run() == (1, "", conflict)
    assert run("bare") == (1, "", "bare has no migrations. Run 'inv db.make bare'.")
    assert run("shoop") == (
        2,
        "",
        "No installed app with label 'shoop'. Did you mean shop?",
    )
    assert run("--database=nowhere")[0] == 1  # argparse itself; from a shell it is 2
    assert run("--since=--all")[::2] == (
        1,
        "--since takes a branch, a tag or a commit, not '--all'.",
    )
    sizes = tmp_path / "sizes.json"
    assert run("users", f"--sizes={sizes}") == (
        1,
        "",
        f"{sizes}: No such file or directory. Write it with 'inv db.sizes'.",
    )


@pytest.mark.slow
def test_one_migration_takes_ten_seconds_at_most(commands: Commands, tmp_path: Path) -> None:
    """The last migration of this product, on an embedded PostgreSQL that is started for it."""
    url = f"sqlite:///{tmp_path}/target.sqlite3"
    for arguments in (["migrate"], ["migrate", "users", "0002"]):
        done = commands.manage(*arguments, DATABASE_URL=url)
        assert done.code == 0, done.err
    took = []
    for _ in range(2):  # the machine may be busy once
        done = commands.manage("plan_migrations", "--json", DATABASE_URL=url)
        assert done.code == 0, done.err
        told = json.loads(done.out)
        assert (told["engine"], told["origin"]) == ("postgresql", "embedded")
        assert [it["name"] for it in told["migrations"]] == ["0003_profile"]
        took.append(sum(told["seconds"].values()))
    assert min(took) <= 10
