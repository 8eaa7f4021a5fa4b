"""Runs each test that touches the database on every engine, and gives real commands a place to run.

A test names its engines with ``@pytest.mark.engines``; without it, it runs on all of them.
"""

import datetime
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from tests.commands import Commands
from tests.engines import ENGINES, Databases, Scratch, Server

SERVER = pytest.StashKey[Server]()
TOUCHES = {"db", "transactional_db", "engine", "database_url", "empty_database_url"}


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL, once for all workers.

    A shell's background job ignores Ctrl-C and SIGQUIT, and what nohup starts ignores a hang-up: so
    would every command that a test starts.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # ignored here, the default in commands
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.stash[SERVER] = Server()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop it."""
    if SERVER in config.stash:
        config.stash[SERVER].stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what touches the database once for each engine."""
    markers = metafunc.definition
    if TOUCHES.intersection(metafunc.fixturenames) or markers.get_closest_marker("django_db"):
        marker = markers.get_closest_marker("engines")
        if "engine" not in metafunc.fixturenames:
            metafunc.fixturenames.append("engine")
        metafunc.parametrize("engine", marker.args if marker else ENGINES, indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """Return the engine that this test runs on."""
    return str(request.param)


@pytest.fixture(autouse=True, scope="session")
def any_time() -> Iterator[None]:
    """Let tests choose their time, however far from the database's clock. Processes cannot."""
    with pytest.MonkeyPatch.context() as patch:
        any_skew = datetime.timedelta(days=36_500)
        patch.setattr("django_runbook.jobs.database.clock.MOST_SKEW", any_skew)
        yield


@pytest.fixture(scope="session")
def databases(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Databases]:
    """Yield the migrated test databases of this worker."""
    made = Databases()
    yield made
    with django_db_blocker.unblock():
        made.destroy()


@pytest.fixture
def django_db_setup(
    engine: str, databases: Databases, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Make the engine's database ``default`` before pytest-django opens its transaction.

    What was ``default`` before is so again: a test without an engine finds the one of its settings.
    """
    before = connections["default"]
    with django_db_blocker.unblock():
        databases.use(engine)
    yield
    databases.switch_to(before)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """Yield databases for commands in processes of their own."""
    with Scratch(tmp_path_factory.mktemp("scratch")) as made:
        yield made


@pytest.fixture
def empty_database_url(engine: str, scratch: Scratch) -> str:
    """Return the URL of a new database without tables."""
    return scratch.create(engine)


@pytest.fixture
def database_url(engine: str, scratch: Scratch) -> str:
    """Return the URL of a new database with every migration applied."""
    return scratch.create_migrated(engine)


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return what starts `inv` and `manage.py` in an environment that holds nothing else."""
    return Commands(tmp_path)
