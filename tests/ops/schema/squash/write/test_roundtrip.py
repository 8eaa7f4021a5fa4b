"""Operations and states as text: equal for what does the same, other for what does not."""

import functools
import importlib
import itertools

import pytest
from django.db import migrations, models
from django.db.migrations.state import ModelState, ProjectState

from django_runbook.schema.squash.write.roundtrip import (
    operation_differences,
    operation_text,
    state_differences,
    state_texts,
)
from tests.ops.schema.conftest import MakeApp

CODE = """\
WORD = {word!r}


def helper(n):
    return 1 if n < 1 else helper(n - 1)


class Maker(models.Field):
    size = {size}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


def {name}(apps, editor, times={size}):
    "{doc}"
    inner = lambda: WORD * times
    return [inner() for _ in range(helper(2))]


class Migration(migrations.Migration):
    operations = []
"""
DEFAULT = {"word": "a", "size": 1, "name": "fill", "doc": "It."}


def text_of(make_app: MakeApp, label: str, **changes: object) -> list[str]:
    """Return a function and a class of a migration with this code, as text."""
    given = {**DEFAULT, **changes}
    make_app(label, m0001_initial=CODE.format(**given))
    module = importlib.import_module(f"{label}.migrations.0001_initial")
    code = getattr(module, str(given["name"]))
    return [
        operation_text(migrations.RunPython(code)),
        operation_text(migrations.RunPython(functools.partial(code, times=2))),
        operation_text(migrations.AddField("a", "b", module.Maker(null=True))),
    ]


def test_code_is_what_it_does(make_app: MakeApp) -> None:
    """Other modules and names are the same; other constants, defaults and bodies are not."""
    same = text_of(make_app, "one")
    assert text_of(make_app, "two", name="fill_0002") == same
    word, part, field = text_of(make_app, "three", word="b")
    assert (word != same[0], part != same[1], field == same[2]) == (True, True, True)
    size, part, field = text_of(make_app, "four", size=2)
    assert (size != same[0], part != same[1], field != same[2]) == (True, True, True)


def test_operations(make_app: MakeApp) -> None:
    """Each difference of an operation is told with its number, ``elidable`` and order too."""
    noop = migrations.RunPython.noop
    kept = [
        migrations.RunPython(noop),
        migrations.RunPython(noop, elidable=True),
        migrations.RunPython(noop, noop),
        migrations.RunPython(noop, atomic=False),
        migrations.RunPython(noop, hints={"a": 1}),
        migrations.RunSQL("a"),
        migrations.RunSQL("b"),
        migrations.AddField("a", "b", models.IntegerField(default=1)),
        migrations.AddField("a", "b", models.IntegerField(default=1), preserve_default=False),
        migrations.SeparateDatabaseAndState([migrations.RunSQL("a")]),
        migrations.SeparateDatabaseAndState([migrations.RunSQL("b")]),
    ]
    texts = [operation_text(one) for one in kept]
    assert len({*texts}) == len(texts)
    assert operation_differences(kept, kept) == ()
    assert operation_differences([kept[5], kept[0]], [kept[6]]) == (
        "operation 0: Raw SQL operation is not Raw SQL operation",
        "operation 1: Raw Python operation is missing",
    )


def state(**changes: object) -> ProjectState:
    """Return a state of one model."""
    given = {
        "fields": [("id", models.AutoField(primary_key=True)), ("a", models.TextField())],
        "options": {},
        "bases": (models.Model,),
        "managers": [],
        **changes,
    }
    made = ProjectState()
    made.add_model(ModelState("shop", "Thing", **given))
    return made


FIELDS = [("id", models.AutoField(primary_key=True)), ("a", models.TextField(null=True))]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"fields": FIELDS}, "field a"),
        ({"fields": [*FIELDS, ("b", models.TextField())]}, "field a, field b"),
        (
            {"fields": [("a", models.TextField()), ("id", models.AutoField(primary_key=True))]},
            "the order of the fields",
        ),
        ({"options": {"ordering": ["a"]}}, "options"),
        ({"options": {"unique_together": {("a", "id")}}}, "options"),
        ({"bases": ("shop.Base",)}, "bases"),
        ({"managers": [("objects", models.Manager())]}, "managers"),
    ],
)
def test_states(changes: dict[str, object], what: str) -> None:
    """Each part of a model counts, and is named."""
    assert state_differences(state(), state(**changes)) == (f"shop.thing: {what}",)
    assert state_differences(state(**changes), state(**changes)) == ()


def test_a_model_that_is_missing_and_what_is_no_difference() -> None:
    """A model in one alone is named; an empty option is as good as none."""
    assert state_differences(state(), ProjectState()) == ("shop.thing is only in the first",)
    empty = {"indexes": [], "constraints": [], "unique_together": set()}
    assert state_differences(state(), state(options=empty)) == ()
    lists = [{"unique_together": [["a", "id"]]}, {"unique_together": {("a", "id")}}]
    for one, other in itertools.permutations(lists, 2):
        assert state_texts(state(options=one)) == state_texts(state(options=other))
