"""An order with a token is carried out once, and in the name of whoever asked."""

import os
import socket
import sys
import uuid

import pytest

from django_runbook.config import Job
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.runs import Order, close, open_run
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.management import starting
from django_runbook.jobs.models import Run

pytestmark = pytest.mark.django_db

JOB = Job(name="tidy")
ORDER = Order(token=uuid.UUID("12345678-1234-4234-8234-123456789abc"))


def test_order_is_carried_out_once():
    """Its run has its token; a second delivery is refused, and writes nothing."""
    run = open_run(JOB, ORDER)
    close(run, "STOPPED", "SIGTERM")
    assert run.token == ORDER.token
    with pytest.raises(RefusedError) as told:
        open_run(JOB, ORDER)
    assert str(told.value) == (
        f"Refused: this was done already, as run {run.pk} of tidy (stopped early); "
        "nothing was changed."
    )
    assert Run.objects.count() == 1


def test_of_two_deliveries_at_once_one_is_refused(monkeypatch):
    """Both have looked before either has written; the database lets one write."""
    require, looked = runs._require_new, []

    def look(order):
        looked.append(order)
        if len(looked) > 1:
            require(order)

    monkeypatch.setattr(runs, "_require_new", look)
    first = Run.objects.create(job="tidy", token=ORDER.token)
    with pytest.raises(RefusedError, match=rf"as run {first.pk} of tidy \(running\); nothing"):
        open_run(JOB, ORDER)
    assert (len(looked), Run.objects.count()) == (2, 1)


def test_orders_without_a_token_are_many():
    """Each has one of its own."""
    assert open_run(JOB, Order()).token != open_run(JOB, Order()).token


def test_who_asked_in_the_admin_is_who_runs(monkeypatch):
    """With this machine and process; a name is one line, and no longer than the ledger keeps it."""
    monkeypatch.setenv("BUILD_URL", "https://ci.example/1")
    monkeypatch.setenv("RUNBOOK_BY", "ada\n\x1b[31m" + "x" * 200)
    who = Who.here()
    assert who == Who(
        user="ada \\x1b[31m" + "x" * 135 + "...",
        host=socket.gethostname(),
        pid=os.getpid(),
        through="in the admin",
    )
    run = open_run(JOB, Order(who=Who(user="ada", host="worker", through=who.through)))
    run.refresh_from_db()
    assert (run.who, run.parameters) == ("ada@worker", {"asked": "for by ada in the admin"})


def test_process_is_started_again_as_it_was(monkeypatch):
    """By its file; a module by its name, and safely where it was: its folder would hide others."""
    monkeypatch.setattr(sys, "argv", ["/x/manage.py", "run_job", "tidy"])
    assert starting.this_program() == [sys.executable, "/x/manage.py"]
    spec = type("Spec", (), {"name": "django.__main__", "origin": "/x/django/__main__.py"})
    main = type("Main", (), {"__spec__": spec})
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert starting.this_program() == [sys.executable, "/x/manage.py"]
    monkeypatch.setattr(sys, "argv", ["/x/django/__main__.py", "run_job", "tidy"])
    assert starting.this_program() == [sys.executable, "-m", "django"]
