"""How much of its time a run works, and what it waits for between two batches."""

import itertools
import time
from contextlib import closing

import pytest
from django.db import connection, connections
from django.db.models.functions import Upper
from django.db.utils import load_backend

from django_runbook.config import Job
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.batches.throttle import Lag, Throttle
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.models import Run
from tests.engines import server_settings
from tests.ops.jobs import shelf
from tests.ops.jobs.replicas import replicated
from tests.ops.jobs.shelf import Item

pytestmark = pytest.mark.engines("sqlite", "postgresql")

NAMES = [f"item {number}" for number in range(7)]


@pytest.fixture
def declared(monkeypatch):
    """Return what declares the job with these keys."""

    def declare(**values):
        for module in ("run_transition", "undo.undo_run"):
            monkeypatch.setattr(
                f"django_runbook.jobs.batches.{module}.declared_job",
                lambda name: Job(name=name, **values),
            )

    return declare


def rising(**values):
    """Create items, and register a job that lets their names be in capitals."""
    for name in NAMES:
        Item.objects.create(name=name)
    due = {"due": lambda _: Item.objects.filter(name__in=NAMES)}
    return shelf.job(**due, to={"name": Upper("name")}, **values)


@pytest.mark.usefixtures("shelf")
def test_share_of_the_time_is_work(declared):
    """With a quarter, three times as long as the batches took is rest."""
    declared(throttle=0.25)
    moved = rising()
    took = []
    start = time.monotonic()
    shelf.go(moved, watch=lambda batch: took.append(batch.seconds))
    elapsed = time.monotonic() - start
    assert elapsed > sum(took[:-1]) * 4
    assert (len(took), Run.objects.get().changed) == (3, 7)


@pytest.mark.usefixtures("shelf")
def test_undo_rests_as_its_run_did(declared):
    """Both write the same rows, and replicas follow both."""
    done = shelf.go(rising())
    declared(throttle=0.25)
    took = []
    start = time.monotonic()
    undo_run(done.run, watch=lambda batch: took.append(batch.seconds))
    assert time.monotonic() - start > sum(took[:-1]) * 4
    assert len(took) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("shelf")
def test_function_lets_a_run_wait(monkeypatch):
    """True is asked again until it is something else; a number is so many seconds; once told."""
    monkeypatch.setattr("django_runbook.jobs.batches.throttle.ASK_SECONDS", 0.05)
    answers = itertools.chain([True, True, False, 0.3], itertools.repeat(0))
    told = []
    moved = rising(throttle=lambda: next(answers))
    start = time.monotonic()
    done = shelf.go(moved, watch=lambda batch: told.append((batch.batch, batch.waits)))
    assert 0.4 < time.monotonic() - start < 5
    assert told == [(0, "the job's throttle says so"), (1, ""), (2, ""), (3, "")]
    assert (done.status, done.changed) == ("SUCCEEDED", 7)


@pytest.mark.slow
@pytest.mark.usefixtures("shelf")
def test_end_is_asked_for_while_a_run_waits():
    """It does not wait for what it waits for."""
    stop = Stop()

    def wait(batch):
        if batch.waits:
            stop.ask("SIGTERM")

    done = shelf.go(rising(throttle=lambda: True), stop=stop, watch=wait)
    assert (done.status, done.changed, done.left) == ("STOPPED", 0, 7)
    stop = Stop(max_seconds=0.3)
    start = time.monotonic()
    done = shelf.go(shelf.registry.transitions()["tidy"], stop=stop)
    assert (done.status, done.reason) == ("STOPPED", "--max-seconds 0.3")
    assert time.monotonic() - start < 5


@pytest.mark.usefixtures("shelf")
def test_lag_needs_no_replica(declared):
    """On a server without one nothing is waited for; other engines have none that is looked at."""
    declared(max_lag_seconds=0.001, throttle=1)
    done = shelf.go(rising())
    assert (done.status, done.changed) == ("SUCCEEDED", 7)
    if connection.vendor == "postgresql":
        assert Lag(connection).seconds() == 0


def connected(url):
    """Return a connection of Django's to a server."""
    values = connections.configure_settings({"default": server_settings(url)})["default"]
    return closing(load_backend(values["ENGINE"]).DatabaseWrapper(values, "default"))


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_real_replica(engine, django_db_blocker):
    """A replica that is stuck is seen, though the server's own lag stands still; so is its return.

    A role that may not see it is told how it may.
    """
    with replicated() as servers, django_db_blocker.unblock(), connected(servers.url) as primary:
        lag = Lag(primary)
        servers.write()
        until(lambda: lag.seconds() == 0)
        servers.hold()
        servers.write()
        assert lag.seconds() < 1
        time.sleep(1.5)
        assert lag.seconds() > 1
        told = []
        throttle = Throttle(primary, max_lag_seconds=1)
        assert throttle.holds(Stop(), told.append) is False  # it has yet to see for how long
        time.sleep(1.5)
        assert throttle.holds(Stop(max_seconds=0.2), told.append) is True
        assert [line.partition(" s behind")[2] for line in told] == [" (max_lag_seconds = 1)"]
        servers.let_go()
        until(lambda: lag.seconds() == 0)
        assert throttle.holds(Stop(), told.append) is False
        with primary.cursor() as cursor:
            cursor.execute("CREATE ROLE app LOGIN")
        with connected(servers.url.replace("postgres@", "app@")) as app:
            with pytest.raises(RefusedError) as refused:
                Lag(app).seconds()
            assert str(refused.value) == (
                "Refused: max_lag_seconds is set, and this role may not see how far the replicas "
                "are; nothing was changed. As a superuser: GRANT pg_read_all_stats TO app"
            )
            with primary.cursor() as cursor:
                cursor.execute("GRANT pg_read_all_stats TO app")
            assert Lag(app).seconds() < 1


def until(holds):
    """Wait until it holds."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
