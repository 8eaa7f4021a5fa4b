"""What is new in git, in repositories made for it."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.apps import apps

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.new_in_git import new_since
from tests.ops.schema.conftest import MakeApp

TABLE = '[migrations.CreateModel("T", [("id", models.BigAutoField(primary_key=True))])]'
SQL = '[migrations.RunSQL("SELECT 1")]'
Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Return what runs git in this test's folder, with no settings but its own."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for person in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{person}_NAME", "t")
        monkeypatch.setenv(f"GIT_{person}_EMAIL", "t@example.com")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, folder: Path = tmp_path) -> str:
        argv = ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "--quiet", "--initial-branch=main")
    return run


def commit(git: Git, message: str = "more", **options: Path) -> None:
    """Commit all there is."""
    git("add", "--all", **options)
    git("commit", "--quiet", "--allow-empty", f"--message={message}", **options)


def write(folder: Path, name: str, before: str, label: str = "shop", text: str = SQL) -> None:
    """Write a migration into an app that is there."""
    (folder / f"{name}.py").write_text(
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
        f"    dependencies = [({label!r}, {before!r})]\n    operations = {text}\n"
    )


def test_committed_staged_and_untracked(git: Git, make_app: MakeApp) -> None:
    """All that was not there at the merge base is new, in the order of applying."""
    folder = make_app("shop", m0001_initial=TABLE)
    commit(git)
    git("checkout", "--quiet", "-b", "feature")
    write(folder, "0002_zebra", "0001_initial")
    commit(git)
    git("checkout", "--quiet", "main")
    commit(git, "meanwhile")
    git("checkout", "--quiet", "feature")
    write(folder, "0003_monkey", "0002_zebra")
    git("add", "--all")
    write(folder, "0004_ape", "0003_monkey")
    new = (("shop", "0002_zebra"), ("shop", "0003_monkey"), ("shop", "0004_ape"))
    assert new_since("main") == new
    assert new_since("HEAD") == new[1:]
    assert new_since(git("rev-parse", "main~1")) == new


def test_order_is_the_graphs(git: Git, make_app: MakeApp) -> None:
    """A dependency on another app comes before its name would; a squash after what it replaces."""
    commit(git)
    zoo = make_app("zoo", m0001_initial=TABLE)
    shop = make_app("shop", m0001_initial=TABLE)
    write(shop, "0002_b", "0001_initial", "zoo")
    write(zoo, "0002_a", "0001_initial", "zoo")
    (zoo / "0001_squashed_0002.py").write_text(
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
        f"    replaces = [('zoo', '0001_initial'), ('zoo', '0002_a')]\n    operations = {TABLE}\n"
    )
    assert [".".join(key) for key in new_since("HEAD") if key[0] == "zoo"] == [
        "zoo.0001_initial",
        "zoo.0002_a",
        "zoo.0001_squashed_0002",
    ]
    order = new_since("HEAD")
    assert order.index(("zoo", "0001_squashed_0002")) < order.index(("shop", "0002_b"))


@pytest.mark.parametrize(
    ("folder", "apps_py", "new"),
    [
        ("services/shop", "", ()),
        ("services/store", 'class Store:\n    label = "shop"\n', ()),
        ("services/store", 'class Store:\n    label: str = "shop"\n', ()),
        ("services/store", "", (("shop", "0001_initial"),)),
        ("services/shop", 'class Shop:\n    label = "store"\n', (("shop", "0001_initial"),)),
        ("services/shop", "not Python", ()),
    ],
)
def test_moved_folder(  # three fixtures and three parameters
    git: Git,
    make_app: MakeApp,
    tmp_path: Path,
    folder: str,
    apps_py: str,
    new: tuple[tuple[str, str], ...],
) -> None:
    """A folder that moved brings nothing new where the label stayed, and all where it changed."""
    before = tmp_path / folder
    make_app("shop", m0001_initial=TABLE)
    before.parent.mkdir()
    shutil.copytree(tmp_path / "apps/shop", before)
    (before / "apps.py").write_text(apps_py)
    git("add", "services")
    git("commit", "--quiet", "--message=as it was")
    shutil.rmtree(before)
    assert new_since("HEAD") == new


def test_another_app_of_that_name_is_new(git: Git, make_app: MakeApp, tmp_path: Path) -> None:
    """Another project's app in the same repository, with the same label, hides nothing."""
    make_app("shop", m0001_initial=TABLE)
    shutil.copytree(tmp_path / "apps/shop", tmp_path / "other/shop")
    git("add", "other")
    git("commit", "--quiet", "--message=other")
    assert new_since("HEAD") == (("shop", "0001_initial"),)


def test_installed_ignored_and_outside_are_never_new(
    git: Git, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's own apps, what git ignores and what lies outside the repository are not new."""
    (tmp_path / ".gitignore").write_text("made_*/\n")
    commit(git)
    make_app("made_here", m0001_initial=TABLE)
    make_app("shop", m0001_initial=TABLE)
    assert new_since("HEAD") == (("shop", "0001_initial"),)
    inner = tmp_path / "apps/elsewhere"
    inner.mkdir()
    git("init", "--quiet", folder=inner)
    commit(git, folder=inner)
    monkeypatch.chdir(inner)
    assert new_since("HEAD") == ()


def test_submodule(git: Git, make_app: MakeApp, tmp_path: Path) -> None:
    """In a submodule, new is what came since the commit that the repository named then."""
    library = tmp_path / "library"
    library.mkdir()
    git("init", "--quiet", "--initial-branch=main", folder=library)
    (library / "README").touch()
    commit(git, folder=library)
    (tmp_path / ".gitignore").write_text("/library\n")
    git("submodule", "--quiet", "add", str(library), "apps")
    commit(git, "with the submodule")
    folder = make_app("shop", m0001_initial=TABLE)
    commit(git, folder=tmp_path / "apps")
    commit(git, "newer submodule")
    assert new_since("HEAD") == ()
    assert new_since("HEAD~1") == (("shop", "0001_initial"),)
    write(folder, "0002_b", "0001_initial")
    assert new_since("HEAD") == (("shop", "0002_b"),)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("--all", "--since takes a branch, a tag or a commit, not '--all'."),
        ("", "--since takes a branch, a tag or a commit, not ''."),
        ("mian", "--since: git knows no commit 'mian' here. Run 'git fetch --all --tags'."),
        (
            "main..x",
            "--since: git knows no commit 'main..x' here. Run 'git fetch --all --tags'.",
        ),
        (
            "other",
            "--since: 'other' and HEAD have no commit in common: their histories are unrelated.",
        ),
    ],
)
def test_bad_ref(git: Git, ref: str, message: str) -> None:
    """What is no commit, or one of another history, ends in one line; no word is an option."""
    commit(git)
    git("checkout", "--quiet", "--orphan", "other")
    commit(git, "another history")
    git("checkout", "--quiet", "main")
    with pytest.raises(MigrationsError) as raised:
        new_since(ref)
    assert str(raised.value) == message


def test_shallow_clone(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone without the merge base says how to get it."""
    commit(git, "one")
    git("checkout", "--quiet", "-b", "feature")
    commit(git, "two")
    git("checkout", "--quiet", "main")
    commit(git, "three")
    git("clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{tmp_path}", "clone")
    monkeypatch.chdir(tmp_path / "clone")
    hint = "Run 'git fetch --deepen=1000', or 'git fetch --unshallow' for all of it."
    for ref, message in {
        "origin/feature": "--since: 'origin/feature' and HEAD have no commit in common: "
        f"this clone is shallow. {hint}",
        "HEAD~1": f"--since: git knows no commit 'HEAD~1' here. This clone is shallow. {hint}",
    }.items():
        with pytest.raises(MigrationsError) as raised:
            new_since(ref)
        assert str(raised.value) == message


def test_no_repository(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a repository, and without git, one line says so."""
    shutil.rmtree(tmp_path / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(MigrationsError) as raised:
        new_since("main")
    assert str(raised.value) == (
        f"--since asks git, which says in {tmp_path}: "
        "not a git repository (or any of the parent directories): .git."
    )
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MigrationsError, match=r"^git is not installed, and --since asks it"):
        new_since("main")


def test_broken_file_is_named(git: Git, make_app: MakeApp) -> None:
    """A migration that cannot be imported is one line with its file and line."""
    commit(git)
    folder = make_app("shop", m0001_initial=TABLE)
    for text, message in {
        "x = (\n": "apps/shop/migrations/0002_x.py, line 1: SyntaxError: '(' was never closed. "
        "Mend the file.",
        "x = 1\ny = 1 / 0\n": "apps/shop/migrations/0002_x.py, line 2: ZeroDivisionError: "
        "division by zero. Mend the file.",
        "x = 1\n": "Migration 0002_x in app shop has no Migration class. Give the file one, or "
        "delete it.",
    }.items():
        (folder / "0002_x.py").write_text(text)
        with pytest.raises(MigrationsError) as raised:
            new_since("HEAD")
        assert str(raised.value) == message
    assert apps.is_installed("shop")
