"""Which migrations are squashed, and what is refused with the command that mends it."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import loaded
from django_runbook.schema.squash.plan.ranges import chain
from tests.ops.schema.conftest import MakeApp

NOTHING = "[]"


def after(*names: str) -> str:
    """Return a migration with these parents and no operations."""
    parents = [("shop", name) for name in names]
    return (
        f"class Migration(migrations.Migration):\n    dependencies = {parents}\n    operations = []"
    )


def names(first: str | None = None, last: str | None = None) -> list[str]:
    """Return the names of a range of the app."""
    return [migration.name for migration in chain(loaded(), "shop", first, last)]


def refusal(label: str = "shop", first: str | None = None, last: str | None = None) -> str:
    """Return why a range is refused."""
    with pytest.raises(MigrationsError) as caught:
        chain(loaded(), label, first, last)
    return str(caught.value)


def test_ranges(make_app: MakeApp) -> None:
    """A range is named by the beginnings of names, both ends in it; an exact name comes first."""
    make_app("shop", m0001_initial=NOTHING, m0002_a=NOTHING, m0003_b=NOTHING, m0003_b_more=NOTHING)
    assert names() == ["0001_initial", "0002_a", "0003_b", "0003_b_more"]
    assert names("0002") == ["0002_a", "0003_b", "0003_b_more"]
    assert names(None, "0003_b") == ["0001_initial", "0002_a", "0003_b"]
    assert names("0002", "0003_b") == ["0002_a", "0003_b"]


def test_branches_that_were_merged_are_in_one_order(make_app: MakeApp) -> None:
    """Two branches with a merge are read in the order of applying."""
    make_app(
        "shop",
        m0001_initial=NOTHING,
        m0002_b=after("0001_initial"),
        m0002_a=after("0001_initial"),
        m0003_merge=after("0002_a", "0002_b"),
    )
    assert names() == ["0001_initial", "0002_b", "0002_a", "0003_merge"]


def test_refused_ranges(make_app: MakeApp) -> None:
    """A range that holds no two migrations, or is named badly, is refused with the right names."""
    make_app("shop", m0001_initial=NOTHING, m0002_fill=NOTHING, m0002_more=after("0002_fill"))
    assert refusal(first="0001", last="0001") == (
        "shop.0001_initial is the only migration in the range: there is nothing to squash."
    )
    assert refusal(first="0002_more", last="0001") == (
        "shop.0002_more comes after 0001_initial: name the earlier one first."
    )
    assert refusal(first="0002") == (
        "'0002' may be 0002_fill or 0002_more of shop: write more of the name."
    )
    assert refusal(last="0002_fil1") == (
        "There is no migration '0002_fil1' in shop. Did you mean 0002_fill?"
    )
    assert refusal(last="9") == "There is no migration '9' in shop. The last is 0002_more."


def test_refused_apps(make_app: MakeApp) -> None:
    """No such app, one without migrations, one of an installed package: nothing is touched."""
    make_app("shop")
    assert refusal() == "The app 'shop' has no migrations. Run 'inv db.make shop' for its first."
    assert refusal("shp") == "There is no app 'shp'. Did you mean shop?"
    assert refusal("qqqq") == "There is no app 'qqqq'. See INSTALLED_APPS."
    assert refusal("auth") == (
        "The migrations of 'auth' belong to an installed package, which is never changed. Squash "
        "an app of this repository."
    )


def test_two_leaves(make_app: MakeApp) -> None:
    """An app whose history is not linear is mended first."""
    make_app(
        "shop",
        m0001_initial=NOTHING,
        m0002_a=after("0001_initial"),
        m0002_b=after("0001_initial"),
    )
    assert refusal() == (
        "shop has conflicting leaves: 0002_a, 0002_b. Run 'inv db.make shop --merge'."
    )


SQUASHED = """\
class Migration(migrations.Migration):
    replaces = [("shop", "0001_initial"), ("shop", "0002_a")]
    operations = []
"""


def test_a_squash_that_is_not_finished(make_app: MakeApp) -> None:
    """Squashed migrations are not squashed again before the transition; later ones may be."""
    make_app(
        "shop",
        m0001_initial=NOTHING,
        m0002_a=NOTHING,
        m0001_squashed_0002_a=SQUASHED,
        m0003_b=after("0002_a"),
        m0004_c=after("0003_b"),
    )
    assert refusal() == (
        "shop.0001_squashed_0002_a is squashed, and its old files are still replaced by it. Run "
        "'inv db.squash shop --finish' first. Or begin after it: --from 0003_b."
    )
    assert names("0003") == ["0003_b", "0004_c"]


@pytest.mark.django_db
def test_a_squash_that_is_half_applied(make_app: MakeApp) -> None:
    """Where a part of the replaced ones is applied, the rest is applied first."""
    make_app("shop", m0001_initial=NOTHING, m0002_a=NOTHING, m0001_squashed_0002_a=SQUASHED)
    MigrationRecorder(connection).record_applied("shop", "0001_initial")
    with pytest.raises(MigrationsError) as caught:
        chain(loaded(connection), "shop")
    assert str(caught.value) == (
        "shop.0001_squashed_0002_a replaces 0002_a, which is not applied on 'default'. Run "
        "'inv db.migrate', and then 'inv db.squash shop --finish'."
    )


def test_a_file_that_is_no_python(make_app: MakeApp) -> None:
    """A file that cannot be parsed is named, with its line."""
    folder = make_app("shop", m0001_initial=NOTHING)
    (folder / "0002_bad.py").write_text("class Migration(\n")
    with pytest.raises(
        MigrationsError,
        match=r"^shop/migrations/0002_bad.py, line 1: SyntaxError: '\(' was never closed. Mend",
    ):
        loaded()
