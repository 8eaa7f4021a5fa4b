"""Which migrations share a file, and why others cannot."""

from textwrap import indent

import pytest

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import loaded
from django_runbook.schema.squash.plan import segments
from django_runbook.schema.squash.plan.segments import plan
from django_runbook.schema.squash.write import roundtrip, staging
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.plan.trapped import CASES, app_with, files

FIRST = next(iter(CASES))


def other(make_app: MakeApp, *texts: str) -> None:
    """Install another app with migrations that have these dependencies and attributes."""
    make_app(
        "other",
        **{
            f"m{number:04}": f"class Migration(migrations.Migration):\n    {text}"
            for number, text in enumerate(texts, 1)
        },
    )


def row(make_app: MakeApp, *heads: str) -> None:
    """Install the app with migrations that have these attributes beside their dependency."""
    texts = {}
    for number, head in enumerate(heads, 1):
        before = [("shop", f"{number - 1:04}")] if number > 1 else []
        lines = f"dependencies = {before}\n{head}"
        texts[f"m{number:04}"] = f"class Migration(migrations.Migration):\n{indent(lines, '    ')}"
    make_app("shop", **texts)


def reasons(**given: object) -> list[str]:
    """Return the files of the app, and why each but the first begins."""
    found = plan(loaded(), "shop", **given)
    return [files(found), *(f"{one.migration} {one.reason}" for one in found.blockers)]


def test_atomic(make_app: MakeApp) -> None:
    """A file ends where ``atomic`` differs."""
    row(make_app, "", "", "atomic = False", "atomic = False", "", "")
    assert reasons() == [
        "12 34 56",
        "0003 atomic is False, and was True",
        "0005 atomic is True, and was False",
    ]
    assert [staging.staged(one).atomic for one in plan(loaded(), "shop").segments] == [
        True,
        False,
        True,
    ]


def test_code_that_replaces_djangos(make_app: MakeApp) -> None:
    """A migration with an ``apply`` of its own stays as it is."""
    own = "def apply(self, *args, **kwargs):\n    return super().apply(*args, **kwargs)"
    row(make_app, "", "", own, "", "")
    assert reasons() == [
        "12 3 45",
        *(f"{name} its class has its own apply" for name in ("0003", "0004")),
    ]


def test_cycles_between_apps(make_app: MakeApp) -> None:
    """What another app has between two of the row stays between them, by either direction."""
    other(
        make_app,
        'dependencies = [("shop", "0002")]',
        'dependencies = [("other", "0001"), ("shop", "0004")]',
    )
    row(
        make_app,
        "",
        "",
        'dependencies += [("other", "0001")]',
        "",
        'run_before = [("other", "0002")]',
    )
    assert reasons() == ["12 345", "0003 needs other.0001, which needs 0002"]
    made = staging.loader(plan(loaded(), "shop").segments)
    assert made.graph.forwards_plan(("other", "0002")) == [
        ("shop", "0001_squashed_0002"),
        ("other", "0001"),
        ("shop", "0003_squashed_0005"),
        ("other", "0002"),
    ]


def test_code_that_cannot_be_copied_stays(make_app: MakeApp) -> None:
    """It keeps its own file, and the reason names it; those around are squashed."""
    made = "operations = [migrations.RunPython((lambda f: lambda a, b: f)(1)) for _ in 'x']"
    row(make_app, "", "", made, "", "")
    told, first, second = reasons()
    assert told == "12 3 45"
    assert first.startswith("0003 cannot be copied: 0003.py: the function 'Migration.")
    assert second.startswith("0004 comes after one that cannot be copied: 0003.py: ")


def test_cuts(make_app: MakeApp) -> None:
    """A new file begins where it is asked for; a name that is not there is refused."""
    row(make_app, *[""] * 4)
    assert reasons(cuts=["0003"]) == ["12 34", "0003 begins a file, as asked"]
    with pytest.raises(MigrationsError) as caught:
        plan(loaded(), "shop", cuts=["0009"])
    assert str(caught.value) == (
        "There is no 0009 in the range: name one of 0001, 0002, 0003, 0004."
    )


def test_what_is_elided_is_no_barrier(make_app: MakeApp) -> None:
    """Left out, a data migration lets the optimizer through, and nothing is cut for it."""
    operations = [*CASES[FIRST][0]]
    operations[1] = "migrations.RunPython(nothing, elidable=True)"
    app_with(make_app, operations)
    assert reasons()[0] == "12 3"
    found = plan(loaded(), "shop", elide=["0002: nothing"])
    assert [(one.after, one.elided) for one in found.segments] == [(2, ("0002: nothing",))]
    with pytest.raises(MigrationsError) as caught:
        plan(loaded(), "shop", elide=["0002: more"])
    assert str(caught.value) == "'0002: more' cannot be left out: one of 0002: nothing."


def test_files_name_the_ones_before(make_app: MakeApp) -> None:
    """A file needs the squashed one before it by its new name: the old one will be gone."""
    row(make_app, "", "", "atomic = False", "atomic = False")
    first, second = plan(loaded(), "shop").segments
    assert staging.staged(second).dependencies == [("shop", first.name)]
    for alone in (False, True):
        made = staging.loader([first, second], alone=alone)
        assert made.graph.forwards_plan(("shop", second.name)) == [
            ("shop", first.name),
            ("shop", second.name),
        ]
        assert roundtrip.state_differences(loaded().project_state(), made.project_state()) == ()


def test_a_cut_that_no_rule_asks_for_says_so(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a longer file would leave more of them, its end is a choice, and no rule's."""
    row(make_app, "", "", "", "")
    monkeypatch.setattr(segments, "fewest", lambda *_: ((0, 1), (2, 3)))
    assert reasons() == [
        "12 34",
        "0003 could be in the file before, but there would be more files then",
    ]
