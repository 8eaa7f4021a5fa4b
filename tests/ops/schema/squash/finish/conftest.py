"""Squashed apps that are committed, and environments that are declared."""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from django_runbook.config import Config
from django_runbook.schema.management.commands import squash as command
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.finish.finishing import MORE, SQUASH, THING, git

OTHER = """
class Migration(migrations.Migration):
    dependencies = [
        ("one", "0001_initial"),  # the first
        ("one", "0002_more"),
        ("contenttypes", "0001_initial"),
    ]
    run_before: list[tuple[str, str]] = [("one", "0003_last")]
    operations = []
"""


@pytest.fixture
def committed(tmp_path: Path) -> Callable[[], Path]:
    """Return what commits everything, and returns the top."""

    def commit() -> Path:
        (tmp_path / ".gitignore").write_text("__pycache__/\n")
        git(tmp_path, "init", "-q")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", "all")
        return tmp_path

    return commit


@pytest.fixture
def two_apps(make_app: MakeApp, committed: Callable[[], Path]) -> Path:
    """Install a squashed app, and one that names what is squashed; all is committed."""
    one = make_app(
        "one",
        m0001_initial=f"[{THING}]",
        m0002_more=f"[{MORE}]",
        m0003_last="[]",
        m0001_squashed_0002_more=SQUASH,
    )
    make_app("two", m0001_initial=OTHER)
    for name, text in {
        "notes.txt": "see 0002_more, and 0003_last",
        "first.txt": 'migrate one 0001_initial, or ["one.migrations.0001_initial"]',
        "others.txt": "two 0001_initial, 0003_last, 0002_more_of_it; in one of 0001_initial",
    }.items():
        (one.parent.parent / name).write_text(text)
    return committed()


@pytest.fixture
def shop(make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a squashed app that is committed, and stand where it lies."""
    make_app(
        "one", m0001_initial=f"[{THING}]", m0002_more=f"[{MORE}]", m0001_squashed_0002_more=SQUASH
    )
    (tmp_path / ".gitignore").write_text("__pycache__/\n*.json\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "all")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Return what declares environments."""

    def make(**variables: str) -> None:
        made = Config(
            root=tmp_path,
            manage=tmp_path / "manage.py",
            protected=frozenset(),
            environments=MappingProxyType(variables),
        )
        monkeypatch.setattr(command, "of_settings", lambda: made)

    return make
