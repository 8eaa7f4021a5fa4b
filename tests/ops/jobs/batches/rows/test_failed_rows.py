"""One bad row does not hold up the others: it is found, listed and left out; the run has failed."""

import pytest
from django.db import IntegrityError, ProgrammingError, connection
from django.db.models import F, Value
from django.db.models.functions import Upper

from django_runbook.jobs.batches.rows import failures
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.models import Batch, FailedRow, Run
from tests.ops.jobs import shelf
from tests.ops.jobs.books import execute
from tests.ops.jobs.shelf import Item, Maker

pytestmark = pytest.mark.engines("sqlite", "postgresql")

COUNT = 20
#: A trigger that refuses rows whose ``sold`` is 13, whatever they become.
REFUSES = {
    "sqlite": (
        """CREATE TRIGGER refuses BEFORE UPDATE ON users_item WHEN old.sold = 13 BEGIN
            SELECT RAISE(ABORT, 'thirteen is not for sale'); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF old.sold = 13 THEN RAISE EXCEPTION 'thirteen is not for sale'; END IF;
            RETURN new; END $$""",
        """CREATE TRIGGER refuses BEFORE UPDATE ON users_item
            FOR EACH ROW EXECUTE FUNCTION refuses()""",
    ),
}


def upper(rows):
    """Let the names be capitals; a bad one cannot be told from the others before."""
    for row in rows:
        if row.sold == 13:
            raise ValueError("thirteen\nis not for sale")
        row.name = row.name.upper()


def save_upper(row):
    """Let one name be in capitals."""
    upper([row])
    row.save()


WAYS = {
    "constant": ({"was": {"name": "a"}, "to": {"name": "A"}}, "thirteen is not for sale"),
    "expression": ({"to": {"name": Upper("name")}}, "thirteen is not for sale"),
    "fill": ({"fill": upper, "fields": ("name",)}, "ValueError: thirteen"),
    "each": ({"each": save_upper, "fields": ("name",)}, "ValueError: thirteen"),
}


def due(_cutoff):
    """Return the items with small names."""
    return Item.objects.filter(name="a")


def items(*bad, count=COUNT, **values):
    """Create items, of which those at these places are bad; return the keys of the bad ones."""
    sold = [13 if place in bad else 0 for place in range(count)]
    made = [Item.objects.create(name="a", sold=number, **values) for number in sold]
    return [made[place].pk for place in bad]


def listed(run):
    """Return what the ledger lists of a run."""
    return list(FailedRow.objects.filter(run=run).order_by("pk").values_list("key", "error"))


@pytest.fixture(params=[3, 64])
def refusing(request, monkeypatch, engine, shelf):
    """Let the database refuse some rows; batches take three rows, or all."""
    for name in ("FIRST_SIZE", "LARGEST_SIZE", "LARGEST_PORTABLE"):
        monkeypatch.setattr(f"django_runbook.jobs.batches.loop.{name}", request.param)
    execute(*REFUSES[engine])


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("places", [(0,), (19,), (7, 8, 9), (0, 4, 11, 19)], ids=str)
@pytest.mark.usefixtures("shelf")
def test_bad_rows_are_listed_and_the_others_changed(refusing, way, places):
    """Whatever the database or the job's own code says of them; each is tried in one pass alone."""
    bad = items(*places)
    how, said = WAYS[way]
    done = shelf.go(shelf.job(due=due, **how))
    reason = f"{len(bad)} row(s) could not be changed"
    assert shelf.facts(done.run) == ("FAILED", COUNT, COUNT - len(bad), len(bad), reason)
    assert (done.failed, done.left, done.reason) == (len(bad), 0, reason)
    assert [key for key, _ in listed(done.run)] == bad
    assert all(error.startswith(said) for _, error in listed(done.run))
    assert sorted(due(None).values_list("pk", flat=True)) == sorted(bad)
    ids = [key for batch in Batch.objects.filter(run=done.run) for key in batch.ids]
    assert sorted([*ids, *bad]) == sorted(Item.objects.values_list("pk", flat=True))


@pytest.mark.usefixtures("shelf")
def test_mended_row_is_changed_by_the_next_run(refusing):
    """A failed run is no end: the next one finds what is still due."""
    bad = items(5, 6)
    moved = shelf.job(due=due, to={"name": Upper("name")})
    first = shelf.go(moved)
    Item.objects.filter(pk=bad[0]).delete()
    execute("DROP TRIGGER refuses" + (" ON users_item" * (connection.vendor == "postgresql")))
    second = shelf.go(moved)
    assert (second.status, second.due, second.changed, second.failed) == ("SUCCEEDED", 1, 1, 0)
    assert undo_run(first.run).restored == COUNT - 2


@pytest.mark.usefixtures("shelf")
def test_what_hits_every_row_ends_soon(monkeypatch):
    """After so many in a row, with those listed: a million rows are not tried one by one."""
    monkeypatch.setattr(failures, "MOST_IN_A_ROW", 5)
    items()
    tried = []

    def fill(rows):
        tried.extend(row.pk for row in rows)
        raise RuntimeError("no network")

    done = shelf.go(shelf.job(due=due, fill=fill, fields=("name",)))
    reason = "5 rows in a row could not be changed; the last: RuntimeError: no network"
    assert (done.status, done.changed, done.failed, done.reason) == ("FAILED", 0, 5, reason)
    assert len(listed(done.run)) == 5
    assert len(tried) < 40


@pytest.mark.usefixtures("shelf")
def test_row_that_passes_ends_the_row_of_bad_ones(monkeypatch):
    """Half of the rows are bad, and not five in a row: the others are all changed."""
    monkeypatch.setattr(failures, "MOST_IN_A_ROW", 5)
    bad = items(*(place for place in range(COUNT) if place % 5))
    done = shelf.go(shelf.job(due=due, fill=upper, fields=("name",)))
    assert (done.status, done.changed, done.failed) == ("FAILED", 4, 16)
    assert [key for key, _ in listed(done.run)] == bad


@pytest.mark.usefixtures("shelf")
def test_list_has_an_end_and_the_count_has_none(monkeypatch):
    """The ledger lists some and counts all."""
    monkeypatch.setattr(failures, "MOST_LISTED", 2)
    items(1, 5, 9, 13)
    done = shelf.go(shelf.job(due=due, fill=upper, fields=("name",)))
    assert (len(listed(done.run)), Run.objects.get(pk=done.run).failed) == (2, 4)


@pytest.mark.usefixtures("shelf")
def test_stopped_run_with_bad_rows_is_stopped():
    """The next one goes on, meets them again, and fails."""
    bad = items(0, 1)
    stop = Stop()
    moved = shelf.job(due=due, fill=upper, fields=("name",))
    first = shelf.go(moved, stop=stop, watch=lambda _batch: stop.ask("SIGTERM"))
    assert (first.status, first.failed, first.left) == ("STOPPED", 2, COUNT - 3)
    second = shelf.go(moved)
    assert (second.status, second.changed, second.failed) == ("FAILED", COUNT - 3, 2)
    assert [key for key, _ in listed(second.run)] == bad


@pytest.mark.usefixtures("shelf")
def test_error_of_the_ledger_itself_is_none_of_a_row():
    """A batch that cannot be written fails the run at once, and no row is listed."""
    items()
    execute("ALTER TABLE runbook_jobs_batch RENAME COLUMN old TO older")
    with pytest.raises(Exception, match="old"):
        shelf.go(shelf.job(due=due, to={"name": Upper("name")}))
    assert not FailedRow.objects.exists()


@pytest.mark.usefixtures("shelf")
def test_rows_that_fail_in_an_expression(engine):
    """A division by nothing, a text that is too long: of the rows that have it."""
    items(2, 17)
    if engine == "sqlite":  # it divides by nothing, and cuts nothing: a constraint of its own
        execute("CREATE UNIQUE INDEX once ON users_item (ratio)")
        Item.objects.create(name="b", ratio=1 / 13)
        wrong = {"ratio": 1.0 / F("pk")}
        Item.objects.filter(name="b").update(ratio=1.0 / Item.objects.filter(sold=13)[0].pk)
        expected = 1
    else:
        wrong, expected = {"ratio": 1.0 / (F("sold") - 13)}, 2
    done = shelf.go(shelf.job(due=lambda _: Item.objects.filter(name="a", ratio=None), to=wrong))
    assert (done.status, done.changed, done.failed) == ("FAILED", COUNT - expected, expected)


@pytest.mark.usefixtures("shelf")
def test_errors_that_may_be_of_a_row(engine):
    """Constraints, data and triggers are; a disk that is full and a lock are not."""
    from django_runbook.jobs.database.faults import is_of_a_row

    def error(kind, **values):
        made = kind("x")
        made.__cause__ = type("Cause", (Exception,), values)()
        return made

    codes = {"sqlite": ("sqlite_errorcode", 1, 13), "postgresql": ("sqlstate", "P0001", "53100")}
    name, row, full = codes[engine]
    assert is_of_a_row(error(IntegrityError), connection)
    assert is_of_a_row(error(ProgrammingError, **{name: row}), connection)
    assert not is_of_a_row(error(ProgrammingError, **{name: full}), connection)


@pytest.mark.usefixtures("shelf")
def test_value_stays_a_value():
    """A constant that looks like an expression's name is none."""
    items()
    assert shelf.go(shelf.job(due=due, to={"name": Value("F")})).status == "SUCCEEDED"


@pytest.mark.usefixtures("committed_shelf")
def test_constraint_that_is_deferred_until_the_commit():
    """A foreign key is looked at when the batch is committed, and no row is named then."""
    bad = items(3, 11)
    maker = Maker.objects.create().pk

    def fill(rows):
        for row in rows:
            row.name, row.maker_id = "A", -1 if row.sold == 13 else maker

    done = shelf.go(shelf.job(due=due, fill=fill, fields=("name", "maker")))
    assert (done.status, done.changed, done.failed, done.left) == ("FAILED", COUNT - 2, 2, 0)
    assert [key for key, _ in listed(done.run)] == bad
    assert all("foreign key" in error for _, error in listed(done.run))
    assert undo_run(done.run).restored == COUNT - 2
