"""An undo believes nothing of the ledger but what the job registers, and what fits together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.db import Error, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_runbook.jobs.batches.undo.undo_run import plan_undo, undo_run
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.models import Batch, Run, Status
from django_runbook.jobs.registry import Change
from tests.ops.jobs import shelf
from tests.ops.jobs.shelf import Item, Tag

pytestmark = [pytest.mark.usefixtures("shelf"), pytest.mark.engines("sqlite", "postgresql")]

COUNT, SIZE = 7, 3  # rows of a run, of a batch
SELL = {"was": {"sold": 0}, "to": {"sold": 1}}


def capital(rows):
    """Let the names be in capitals."""
    for row in rows:
        row.name = row.name.upper()


def sold() -> Run:
    """Return a run of constants, with rows beside it that no run has changed."""
    Item.objects.bulk_create(Item(name=f"n{at}", sold=0) for at in range(COUNT))
    moved = shelf.job(due=lambda _cutoff: Item.objects.filter(sold=0), **SELL)
    run = shelf.go(moved).run
    Item.objects.bulk_create(Item(name=f"other {at}", sold=2) for at in range(COUNT))
    return Run.objects.get(pk=run)


def named() -> Run:
    """Return a run of computed values, with rows beside it that no run has changed."""
    Item.objects.bulk_create(Item(name=f"n{at}") for at in range(COUNT))
    moved = shelf.job(
        due=lambda _cutoff: Item.objects.filter(name__regex="^n"),
        fill=capital,
        fields=("name",),
    )
    run = shelf.go(moved).run
    Item.objects.bulk_create(Item(name=f"other {at}") for at in range(COUNT))
    return Run.objects.get(pk=run)


def rows() -> dict[int, tuple[str, int]]:
    """Return every row of the product."""
    return {pk: (name, sold) for pk, name, sold in Item.objects.values_list("pk", "name", "sold")}


def refused(run: Run) -> str:
    """Return the refusal to undo a run: it changes no row, and is the same before one is asked."""
    before = rows()
    with pytest.raises(RefusedError) as planned:
        plan_undo(run.pk)
    with pytest.raises(RefusedError) as done:
        undo_run(run.pk)
    assert str(planned.value) == str(done.value)
    assert "\n" not in str(done.value)
    assert rows() == before
    assert not Run.objects.filter(undoes=run).exclude(pk=run.pk).exists()
    return str(done.value)


def forged(run: Run, of: str, **values: Any) -> None:
    """Write into the row of a run, or of its second batch."""
    target = Run.objects.filter(pk=run.pk)
    batch = Batch.objects.filter(run=run, number=2)
    (target if of == "run" else batch).update(**values)


CHANGE = {"model": "users.item", **SELL}
OTHER = (
    "Refused: run {run} made another change than tidy registers ({what}); nothing was changed. "
    "If a release before made it, name it in the transition's undoes."
)
BROKEN = "Refused: the ledger is broken: {what}. Run {run} cannot be undone; nothing was changed."
KEPT = "Refused: run {run} says that it changed {what}; nothing was changed."
FORGED = [
    ("run", {"change": ["x"]}, BROKEN, "the change of run {run} is no object"),
    ("run", {"change": "x"}, BROKEN, "the change of run {run} is no object"),
    ("run", {"model": "x.y"}, BROKEN, "the change of run {run} is of another model than the run"),
    ("run", {"change": SELL}, BROKEN, "the change of run {run} is of another model than the run"),
    (
        "run",
        {"model": "users.user", "change": {**CHANGE, "model": "users.user"}},
        OTHER,
        "model 'users.user' in the ledger, 'users.item' in the code",
    ),
    (
        "run",
        {"change": {**CHANGE, "was": {"sold": 7}}},
        OTHER,
        "was {{'sold': 7}} in the ledger, {{'sold': 0}} in the code",
    ),
    (
        "run",
        {"change": {**CHANGE, "to": {"price": "1.00"}}},
        OTHER,
        "to {{'price': '1.00'}} in the ledger, {{'sold': 1}} in the code",
    ),
    (
        "run",
        {"change": {**CHANGE, "to": {"sold": "\nx"}}},
        OTHER,
        "to {{'sold': '\\nx'}} in the ledger, {{'sold': 1}} in the code",
    ),
    (
        "run",
        {"change": {"model": "users.item"}},
        OTHER,
        (
            "was None in the ledger, {{'sold': 0}} in the code; "
            "to None in the ledger, {{'sold': 1}} in the code"
        ),
    ),
    (
        "run",
        {"change": {**CHANGE, "kept": ["name"]}},
        OTHER,
        "kept ['name'] in the ledger, None in the code",
    ),
    ("run", {"changed": 8}, KEPT, "8 row(s), and its batches hold 7"),
    ("batch", {"changed": 2}, BROKEN, "batch 2 of run {run} counts 2 rows and holds 3"),
    ("batch", {"number": 9}, BROKEN, "the batches of run {run} are not numbered through"),
    ("batch", {"numbers": None}, BROKEN, "batch 2 of run {run} holds no list of keys"),
    ("batch", {"keys": [1]}, BROKEN, "batch 2 of run {run} holds no list of keys"),
    ("batch", {"numbers": [4, 4, 4]}, BROKEN, "batch 2 of run {run} holds a key twice"),
    *(
        (
            "batch",
            {"numbers": None, "keys": keys},
            BROKEN,
            "batch 2 of run {run} holds a key of a wrong type",
        )
        for keys in ([4, 5, 6], ["4", "5", "6"], [True, 5, 6], [[4], [5], [6]], [None, None, None])
    ),
    *(
        (
            "batch",
            {"numbers": None, "keys": keys},
            BROKEN,
            "batch 2 of run {run} holds no list of keys",
        )
        for keys in ("abc", 3, {"4": 4}, True)
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("of", "values", "message", "what"), FORGED)
def test_forged_row_of_the_ledger_is_refused_in_one_line(of, values, message, what):
    """Before anybody is asked, with what is wrong; nothing is changed, and no run is opened."""
    run = sold()
    forged(run, of, **values)
    assert refused(run) == message.format(run=run.pk, what=what.format(run=run.pk))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"old": None}, "holds no list of values"),
        ({"new": "abc"}, "holds no list of values"),
        ({"old": [["a"], ["b"]]}, "does not hold the old and new values of its rows"),
        ({"old": [["a"], ["b"], "c"]}, "holds not one value for each field"),
        ({"new": [["a"], ["b"], ["c", "d"]]}, "holds not one value for each field"),
        ({"old": [["a"], ["b"], [3]]}, "holds no value of name"),
        ({"old": [["a"], ["b"], [None]]}, "holds no value of name"),
        ({"old": [["a"], ["b"], [{"c": 1}]]}, "holds no value of name"),
    ],
)
def test_forged_values_are_refused_in_one_line(values, what):
    """What was kept of each row must be as many values as there are rows, each one of its field."""
    run = named()
    forged(run, "batch", **values)
    what = f"batch 2 of run {run.pk} {what}"
    assert refused(run) == BROKEN.format(run=run.pk, what=what)


@pytest.mark.engines("postgresql")
def test_value_that_the_column_cannot_hold_is_refused():
    """It would end the undo in its midst; SQLite holds texts of any length."""
    run = named()
    forged(run, "batch", old=[["a"], ["b"], ["c" * 21]])
    what = f"batch 2 of run {run.pk} holds no value of name"
    assert refused(run) == BROKEN.format(run=run.pk, what=what)


@pytest.mark.engines("sqlite")
def test_text_that_no_driver_takes_is_refused():
    """Half a character stands in the JSON of SQLite, and PostgreSQL refuses it there."""
    run = named()
    forged(run, "batch", old=[["a"], ["b"], ["\ud800"]])
    what = f"batch 2 of run {run.pk} holds no value of name"
    assert refused(run) == BROKEN.format(run=run.pk, what=what)


def test_batch_that_is_missing_or_more_is_refused():
    """The run says how many there are."""
    run = sold()
    batch = Batch.objects.filter(run=run).order_by("-number")[0]
    batch.delete()
    message = "Refused: the ledger keeps {kept} of the 3 batches of run {run}; nothing was changed."
    assert refused(run) == message.format(kept=2, run=run.pk)
    for number in (3, 4):
        Batch.objects.create(run=run, number=number, changed=1, ids=batch.ids)
    assert refused(run) == message.format(kept=4, run=run.pk)


def test_run_that_undoes_itself_or_its_own_undo_is_refused():
    """A circle is no undo."""
    run = sold()
    forged(run, "run", undoes=run)
    assert refused(run) == BROKEN.format(run=run.pk, what=f"run {run.pk} undoes itself")
    forged(run, "run", undoes=None)
    undo = Run.objects.get(pk=undo_run(run.pk).run)
    forged(run, "run", undoes=undo)
    with pytest.raises(RefusedError, match=rf"^Refused: run {run.pk} is itself the undo of run"):
        undo_run(run.pk)


def test_job_that_is_registered_no_more_is_refused():
    """The line says which release can undo it."""
    run = sold()
    forged(run, "run", job="gone")
    assert refused(run) == (
        "Refused: the code registers no transition of gone; nothing was changed. "
        f"Undo run {run.pk} with a release that does."
    )


def test_change_of_an_earlier_release_is_undone_where_it_is_named():
    """A release that changes what its job does names what its runs did before."""
    run = sold()
    to = {"was": {"sold": 0}, "to": {"sold": 9}}
    moved = shelf.job(due=lambda _cutoff: Item.objects.filter(sold=0), **to)
    assert refused(run) == OTHER.format(
        run=run.pk, what="to {'sold': 1} in the ledger, {'sold': 9} in the code"
    )
    earlier = Change(model=Item, **SELL)
    shelf.job(due=moved.due, undoes=(earlier,), **to)
    assert undo_run(run.pk).restored == COUNT
    assert Item.objects.filter(sold=0).count() == COUNT


def test_other_function_over_the_same_field_can_be_undone():
    """What was kept of each row does not ask how it was made; another field's does."""
    run = named()
    shelf.job(due=lambda _cutoff: Item.objects.none(), fill=str, fields=("text",))
    assert refused(run) == OTHER.format(
        run=run.pk, what="kept ['name'] in the ledger, ['text'] in the code"
    )
    shelf.job(due=lambda _cutoff: Item.objects.none(), fill=str, fields=("name",))
    assert undo_run(run.pk).restored == COUNT


@pytest.mark.parametrize("values", [{"numbers": None}, {"keys": [1]}, {"changed": 9}])
def test_later_batch_that_does_not_say_its_rows_is_refused(values):
    """Nobody can know which rows it changed again: nothing is changed, and the line names it."""
    run = sold()
    later = Run.objects.create(job="tidy", status=Status.SUCCEEDED, model="users.item")
    batch = Batch.objects.create(run=later, number=1, changed=1, ids=[1])
    Batch.objects.filter(pk=batch.pk).update(**values)
    before = rows()
    with pytest.raises(RefusedError) as refusal:
        undo_run(run.pk)
    what = f"batch 1 of run {later.pk}, a later one, does not say which rows it changed"
    assert str(refusal.value) == BROKEN.format(run=run.pk, what=what)
    assert rows() == before


def test_keys_that_are_no_numbers_must_be_as_the_ledger_spells_them():
    """A UUID in capitals is no key: it would not be found among what was changed again."""
    Tag.objects.bulk_create(Tag(name="a") for _ in range(COUNT))
    moved = shelf.job(
        due=lambda _cutoff: Tag.objects.filter(name="a"), was={"name": "a"}, to={"name": "b"}
    )
    run = Run.objects.get(pk=shelf.go(moved).run)
    ids = Batch.objects.get(run=run, number=2).ids
    what = f"batch 2 of run {run.pk} holds a key of a wrong type"
    for keys in ([key.upper() for key in ids], [1, 2, 3], ["x", "y", "z"], [*ids[:2], "\x7f"]):
        forged(run, "batch", keys=keys)
        with pytest.raises(RefusedError) as refusal:
            undo_run(run.pk)
        assert str(refusal.value) == BROKEN.format(run=run.pk, what=what)
    forged(run, "batch", keys=ids)
    assert undo_run(run.pk).restored == COUNT


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
NUMBER = st.integers(0, 10)
#: Keys of rows that the run has not changed, and that are in no state that it would put back.
OTHERS = st.integers(COUNT + 1, 40)
MUTATIONS = st.one_of(
    st.tuples(st.just("run"), st.just("job"), TEXT),
    st.tuples(st.just("run"), st.just("status"), st.sampled_from(Status.values)),
    st.tuples(st.just("run"), st.sampled_from(["change", "parameters", "arguments"]), JSON),
    st.tuples(st.just("run"), st.just("model"), TEXT | st.just("users.user")),
    st.tuples(st.just("run"), st.sampled_from(["changed", "batches", "due"]), NUMBER),
    st.tuples(st.just("run"), st.sampled_from(["undoes", "continues"]), st.sampled_from("so")),
    st.tuples(st.just("batch"), st.sampled_from(["number", "changed"]), NUMBER),
    st.tuples(st.just("batch"), st.sampled_from(["keys", "old", "new"]), JSON),
    st.tuples(st.just("batch"), st.just("numbers"), st.none() | st.lists(OTHERS, max_size=4)),
    st.tuples(st.just("batch"), st.just("run"), st.just("o")),
)
#: A later run of other rows and of one row of the run; its batch may lose the list of its keys.
LATER = st.one_of(
    st.tuples(st.just("run"), st.sampled_from(["job", "model"]), TEXT),
    st.tuples(st.just("run"), st.sampled_from(["change", "parameters"]), JSON),
    st.tuples(st.just("run"), st.sampled_from(["undoes", "continues"]), st.sampled_from("so")),
    st.tuples(st.just("batch"), st.sampled_from(["number", "changed"]), NUMBER),
    st.tuples(st.just("batch"), st.sampled_from(["keys", "old", "new"]), JSON),
    st.tuples(st.just("batch"), st.just("numbers"), st.none()),
)


@contextmanager
def taken_back() -> Iterator[None]:
    """Leave nothing of an example behind."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def mutate(run: Run, other: Run, mutation: tuple[str, str, Any]) -> None:
    """Write a value into a column of a run or of one of its batches."""
    of, column, value = mutation
    if column in ("undoes", "continues", "run"):
        value = run if value == "s" else other
    first = Batch.objects.filter(run=run).order_by("number").values("pk")[:1]
    found = (
        Run.objects.filter(pk=run.pk)
        if of == "run"
        else Batch.objects.filter(pk__in=list(first.values_list("pk", flat=True)))
    )
    with suppress(Error, OverflowError), transaction.atomic():  # of a constraint, or too large
        found.update(**{column: value})


def undone_or_refused(run: Run, before: dict, after: dict, *, keep: set[int]) -> bool:
    """Undo; tell whether it was refused. No row but the run's own becomes what it was."""
    said = None
    try:
        undo_run(run.pk)
    except RefusedError as refusal:
        said = str(refusal)
    now = rows()
    if said is not None:
        assert (said[:9], said.count("\n"), now) == ("Refused: ", 0, after)
        return True
    for key, value in now.items():
        assert value in ({after[key]} if key in keep else {before.get(key, after[key]), after[key]})
    return False


@pytest.mark.parametrize("made", [sold, named])
@pytest.mark.parametrize("examples", [25, pytest.param(600, marks=pytest.mark.slow)])
def test_any_mutation_is_refused_or_undone_exactly(made: Callable[[], Run], examples: int):
    """Whatever is written into a row of the ledger, no row becomes what it was not."""
    run = made()
    after = rows()
    with taken_back():
        undo_run(run.pk)
        before = rows()
    assert before != after
    later = Run.objects.create(
        job="tidy", status=Status.SUCCEEDED, model="users.item", change=run.change
    )
    mine = Batch.objects.get(run=run, number=1).ids[0]
    Batch.objects.create(run=later, number=1, changed=2, ids=[mine, 39])
    Run.objects.filter(pk=later.pk).update(changed=2, batches=1)
    outcomes = set()

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(mutation=MUTATIONS | LATER, of_later=st.booleans())
    def mutated(mutation: tuple[str, str, Any], *, of_later: bool) -> None:
        of_later = of_later and mutation[1] not in ("numbers", "run")
        with taken_back():
            mutate(*((later, run) if of_later else (run, later)), mutation)
            outcomes.add(undone_or_refused(run, before, after, keep={mine}))

    mutated()
    assert outcomes == {True, False}
