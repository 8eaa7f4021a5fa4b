"""Apps made for one test, with migrations of their own, and workshops of both engines."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db.migrations.loader import MigrationLoader
from pytest_django.plugin import DjangoDbBlocker

from django_runbook.schema.scratch.databases import Workshop, workshop
from django_runbook.schema.scratch.servers import VARIABLE
from django_runbook.schema.scratch.stages import Stages
from tests.engines import server_url

MakeApp = Callable[..., Path]
HEAD = "import django\nfrom django.db import migrations, models\n\n\n"


@pytest.fixture
def scratch_server(
    monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Let scratch databases be made on the tests' own server, and be reached."""
    monkeypatch.setenv(VARIABLE, server_url())
    with django_db_blocker.unblock():
        yield


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, scratch_server: None) -> Iterator[Workshop]:
    """Yield a workshop of each engine."""
    with workshop(request.param, "default") as made:
        yield made


@pytest.fixture
def postgresql(scratch_server: None) -> Iterator[Workshop]:
    """Yield a workshop of PostgreSQL, for what the other engine has not."""
    with workshop("postgresql", "default") as made:
        yield made


@pytest.fixture
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeApp]:
    """Return what installs an app for this test: its label, its models, its migrations.

    ``make_app("shop", models="...", m0001_initial="...", ...)``: the text of a migration is its
    file without the imports of ``migrations`` and ``models``, or, where it begins with a bracket,
    the list of its operations alone; it depends on the one before it then.
    """
    labels: list[str] = []
    folder = tmp_path / "apps"
    monkeypatch.syspath_prepend(str(folder))

    def make(label: str, models: str = "", **migrations: str) -> Path:
        where = folder / label / "migrations"
        where.mkdir(parents=True)
        (where / "__init__.py").touch()
        (where.parent / "__init__.py").touch()
        (where.parent / "models.py").write_text(HEAD + dedent(models))
        before = ""
        for name, text in migrations.items():
            name = name.removeprefix("m")  # noqa: PLW2901
            (where / f"{name}.py").write_text(HEAD + _file(label, before, dedent(text).strip()))
            before = name
        importlib.invalidate_caches()
        apps.set_installed_apps([*django_settings.INSTALLED_APPS, *labels, label])
        labels.append(label)
        return where

    yield make
    for label in labels:
        apps.unset_installed_apps()
        apps.all_models.pop(label, None)
        for name in [name for name in sys.modules if name.split(".")[0] == label]:
            del sys.modules[name]
    apps.clear_cache()


@pytest.fixture
def stages_on() -> Callable[[Workshop], Stages]:
    """Return what walks the migrations of the installed apps on a workshop's databases."""
    return lambda made: Stages(made, MigrationLoader(None).graph, "default")


def _file(label: str, before: str, text: str) -> str:
    if not text.startswith("["):
        return text + "\n"
    dependencies = [(label, before)] if before else []
    return (
        f"class Migration(migrations.Migration):\n"
        f"    initial = {not before}\n"
        f"    dependencies = {dependencies!r}\n"
        f"    operations = {text}\n"
    )
