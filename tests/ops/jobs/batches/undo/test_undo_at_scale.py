"""An undo takes seconds: later batches are looked at together, whatever their number.

The seconds are printed; what is held is the number of queries, which no other load changes.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from accounts.jobs import EXPIRE_TRIALS
from accounts.models import Account
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.ledger.reading import rows
from django_runbook.jobs.models import Batch, Run, Status
from tests.ops.jobs import books

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROWS, LATER, SIZE = 100_000, 20_000, 5_000
STRANGE = 10**9  # keys of rows that are nobody's


@contextmanager
def counted(capsys: pytest.CaptureFixture[str], what: str) -> Iterator[Counter[str]]:
    """Count the statements of a body, and those that read batches; print the seconds."""
    counts: Counter[str] = Counter()

    def count(execute: Callable[..., Any], sql: str, *values: Any) -> Any:
        reads = "runbook_jobs_batch" in sql and sql.lstrip().startswith("SELECT")
        counts["reads of batches" if reads else "others"] += 1
        return execute(sql, *values)

    start = time.monotonic()
    with connection.execute_wrapper(count):
        yield counts
    seconds = time.monotonic() - start
    with capsys.disabled():
        print(f"\n{connection.vendor}, {what}: {seconds:.1f} s, {dict(counts)}")


def run_of(keys: list[int]) -> Run:
    """Return a run that expired these accounts."""
    values = {"status": Status.SUCCEEDED, **EXPIRE_TRIALS.change.recorded()}
    pieces = [keys[start : start + SIZE] for start in range(0, len(keys), SIZE)]
    run = Run.objects.create(
        job="expire_trials", changed=len(keys), batches=len(pieces), due=len(keys), **values
    )
    for number, ids in enumerate(pieces, start=1):
        Batch.objects.create(run=run, number=number, changed=len(ids), ids=ids)
    return run


def later_runs(keys: list[list[int]]) -> None:
    """Let a run of its own have changed each of these lists of rows."""
    values = {"status": Status.SUCCEEDED, **EXPIRE_TRIALS.change.recorded()}
    runs = [Run(job="expire_trials", changed=len(ids), batches=1, **values) for ids in keys]
    batches = [
        Batch(run=run, number=1, changed=len(ids), ids=ids)
        for run, ids in zip(Run.objects.bulk_create(runs, 2_000), keys, strict=True)
    ]
    Batch.objects.bulk_create(batches, 2_000)


def strange(at: int, count: int) -> list[int]:
    """Return keys of rows that no other list of this size holds."""
    return list(range(STRANGE + at * count, STRANGE + (at + 1) * count))


@pytest.mark.parametrize(("common", "others"), [(4, 0), (4, 50), (0, 50)])
def test_a_hundred_thousand_rows_with_twenty_thousand_later_batches(common, others, capsys):
    """With rows of the run in each of them, with many others beside them, and with others alone."""
    keys = books.open_accounts(ROWS)
    Account.objects.update(status=Account.TRIAL_EXPIRED)
    run = run_of(keys)
    later_runs([keys[at * 4 :][:common] + strange(at, others) for at in range(LATER)])
    group = list(Batch.objects.filter(run=run))
    with counted(capsys, f"{common}+{others} rows in each of {LATER:,} batches, a look") as reads:
        found = rows.changed_later(group, model=Account, but=Run(pk=0))
    assert len(found) == LATER * common
    own = (LATER // rows.BATCHES + 1) if connection.vendor != "postgresql" else 6
    assert reads.total() <= own
    with counted(capsys, f"{common}+{others} rows in each of {LATER:,} batches, the undo") as reads:
        result = undo_run(run.pk)
    # Beside the look: the run's own batches, twice, and of each of them what is not put back.
    pieces = Run.objects.get(pk=result.run).batches + ROWS // SIZE
    assert reads["reads of batches"] <= own + 10 + pieces * bool(common)
    again = LATER * common
    assert (result.status, result.restored, result.left) == ("SUCCEEDED", ROWS - again, 0)
    assert result.others == ({"changed again": again} if common else {})
    assert len(result.owners.get("changed again", {})) == (LATER if common else 0)


def test_story_of_a_row_is_found_among_twenty_thousand_batches(capsys):
    """PostgreSQL looks by itself; any other engine is asked for two hundred batches at a time."""
    later_runs([strange(at, 50) for at in range(LATER)])
    key = strange(1_234, 50)[7]
    with counted(capsys, "the story of a row") as reads:
        found = rows.batches_that_changed(Account, key)
    assert [batch.ids[7] for batch in found] == [key]
    assert reads.total() <= (LATER // rows.BATCHES + 2 if connection.vendor != "postgresql" else 1)
