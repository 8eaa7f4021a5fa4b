"""What is released: the same bytes from the same commit, and nothing but the package."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT

pytestmark = pytest.mark.slow

spec = importlib.util.spec_from_file_location("release", ROOT / "ops/release.py")
release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(release)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a copy of the package in a repository of its own, as git knows it."""
    copy = tmp_path / "a package"
    shutil.copytree(ROOT / "ops", copy, ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "-C", str(copy), "-c", "user.name=me", "-c", "user.email=me@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=x"], check=True)
    return copy


def test_package_is_built_with_all_that_it_needs(package, tmp_path):
    """One sdist and one wheel, with every module, the licence, and the mark that it is typed."""
    made = release.build(tmp_path / "dist", package)
    assert [file.name for file in made] == [
        "django_runbook-0.1.0.tar.gz",
        "django_runbook-0.1.0-py3-none-any.whl",
    ]
    found = release.in_wheel(made[1])
    assert found >= {"django_runbook/py.typed", "django_runbook/jobs/migrations/0001_initial.py"}
    tops = {name.partition("/")[0] for name in found}
    assert tops == {"django_runbook", "django_runbook-0.1.0.dist-info"}
    assert "release.py" not in release.in_sdist(made[0])


def test_file_that_git_does_not_know_is_refused(package, tmp_path):
    """What lies in the folder by chance is not released."""
    (package / "src/django_runbook/notes.txt").touch()
    with pytest.raises(release.WrongContentError) as error:
        release.build(tmp_path / "dist", package)
    assert str(error.value) == (
        "django_runbook-0.1.0.tar.gz holds src/django_runbook/notes.txt, which git does not know."
    )


def test_missing_file_is_refused(package, tmp_path, monkeypatch):
    """A module that the archive lacks is named."""
    known = release.tracked(package)
    monkeypatch.setattr(release, "tracked", lambda _folder: {*known, "src/django_runbook/new.py"})
    with pytest.raises(release.WrongContentError) as error:
        release.build(tmp_path / "dist", package)
    assert str(error.value) == "django_runbook-0.1.0.tar.gz lacks src/django_runbook/new.py."


def test_builds_that_differ_are_refused(package, tmp_path, monkeypatch):
    """The same bytes twice, or it is no release."""
    times = iter("123456789")
    build = release._build
    monkeypatch.setattr(
        release,
        "_build",
        lambda *given: build(*given[:3], str(1_700_000_000 + 10 * int(next(times)))),
    )
    with pytest.raises(release.WrongContentError, match=r"\.tar\.gz: two builds differ\.$"):
        release.build(tmp_path / "dist", package)


def test_licence_is_that_of_the_repository():
    """The package carries the same licence as the repository around it."""
    assert (ROOT / "ops/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_script_says_what_it_made(package, tmp_path):
    """A line for each file, with its size."""
    done = subprocess.run(
        [sys.executable, package / "release.py", "dist"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    sizes = [file.stat().st_size for file in sorted((tmp_path / "dist").iterdir(), reverse=True)]
    assert done.stdout == (
        f"Built dist/django_runbook-0.1.0.tar.gz ({sizes[0]:,} bytes)\n"
        f"Built dist/django_runbook-0.1.0-py3-none-any.whl ({sizes[1]:,} bytes)\n"
    )
