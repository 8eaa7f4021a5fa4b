"""Any order of runs, payments, kills and undos keeps the books balanced."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.ops.jobs import books
from tests.ops.jobs.machines import Books

pytestmark = pytest.mark.engines("sqlite", "postgresql")


@pytest.mark.django_db
@pytest.mark.parametrize("examples", [10, pytest.param(80, marks=pytest.mark.slow)])
def test_books_stay_balanced(quick, monkeypatch, examples):
    """A model says what each account and each run must be after each step, on each engine.

    Every batch of every run holds the rows that the model expects, an undo puts back exactly what
    nobody has touched since, and each change that the database saw is in the ledger once.
    """
    books.execute(*books.WITNESS[connection.vendor])
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
