"""What differs and is no defect: names, order, what is random; and what cannot be compared."""

from textwrap import dedent

import pytest

from django_runbook.schema.squash.proof.prover import prove
from django_runbook.schema.squash.proof.results import Check
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.proof.test_proof_defects import (
    FILL,
    INDEXED,
    KEY,
    NOTHING,
    PLAIN,
    said,
    shown,
    whole,
)
from tests.ops.schema.squash.squashes import plan, segment

pytestmark = pytest.mark.slow


@pytest.mark.slow
def test_another_name_and_another_order_are_no_defects(
    scratch_server: None, make_app: MakeApp
) -> None:
    """A renamed column keeps the name of its index; a column added late stands last."""
    folder = make_app(
        "shop",
        m0001_initial=f"[{INDEXED}]",
        m0002_rename="""[
            migrations.RenameField("Thing", "code", "label"),
            migrations.AddField("Thing", "size", models.IntegerField(default=1)),
        ]""",
    )
    squash = segment(
        folder,
        "0001_initial 0002_rename",
        f"""
        migrations.CreateModel(
            "Thing",
            [
                {KEY},
                ("size", models.IntegerField(default=1)),
                ("label", models.CharField(max_length=20, db_index=True)),
            ]
        ),
        """,
        more="initial = True",
    )
    proof = shown(squash, vendor="postgresql")
    assert [each for each in said(proof) if not each.startswith("state")] == []
    old, new = "shop_thing_code_84095b2b", "shop_thing_label_acc7afb7"
    assert proof.engines[0].names == (
        f"index on shop_thing: {old}_like before, {new}_like squashed",
        f"index on shop_thing: {old} before, {new} squashed",
    )
    assert proof.engines[0].order == (
        "shop_thing: id, label, size before, id, size, label squashed",
    )


def test_what_is_random_or_the_time_is_masked(scratch_server: None, make_app: MakeApp) -> None:
    """Rows with a token and the time differ in every run; the same rows beside them may not."""
    code = """
    import uuid
    from django.utils import timezone

    def fill(apps, schema_editor):
        Thing = apps.get_model("shop", "Thing")
        for label in ("{0}", "b"):
            Thing.objects.using(schema_editor.connection.alias).create(
                label=label, token=uuid.uuid4(), at=timezone.now()
            )

    """
    model = f"""migrations.CreateModel("Thing", [
        {KEY}, ("label", models.CharField(max_length=20)), ("token", models.UUIDField()),
        ("at", models.DateTimeField()),
    ]),"""
    right, wrong = dedent(code).format("a"), dedent(code).format("c")
    folder = make_app(
        "shop", m0001_initial=f"[{model}]", m0002_fill=whole(FILL, right, "0001_initial")
    )
    names = "0001_initial 0002_fill"
    more = "initial = True"
    assert said(shown(segment(folder, names, model + FILL, more=more, code=right))) == []
    (defect,) = shown(segment(folder, names, model + FILL, more=more, code=wrong)).defects
    assert defect.what == (
        "rows of shop_thing: 1 lost and 1 too many, one with at=<datetime>, label=a, token=<str>"
    )


def test_an_operation_that_says_less_than_it_is_fails_the_round_trip(
    scratch_server: None, make_app: MakeApp
) -> None:
    """What an operation is made of again is another one: it would be written wrongly."""
    folder = make_app("shop", m0001_initial=f"[{PLAIN}]", m0002_fill=f"[{NOTHING}]")
    code = """
    class Forgetful(migrations.RunSQL):
        def deconstruct(self):
            return "Forgetful", [], {"sql": "SELECT 2"}

    """
    squash = segment(
        folder,
        "0001_initial 0002_fill",
        f'{PLAIN}\nForgetful("SELECT 1"),',
        more="initial = True",
        code=dedent(code),
    )
    (defect,) = shown(squash).defects
    assert (defect.check, defect.segment) == (Check.ROUND_TRIP, "0001_squashed_0002")


def test_a_circle_between_apps_is_named(scratch_server: None, make_app: MakeApp) -> None:
    """What another app needs in between cannot be one file: Django's graph has a circle then."""
    folder = make_app(
        "shop",
        m0001_initial=f"[{PLAIN}]",
        m0002_after=whole(NOTHING).replace(
            "dependencies = []", 'dependencies = [("shop", "0001_initial"), ("other", "0001_one")]'
        ),
    )
    make_app(
        "other",
        m0001_one=whole(NOTHING).replace(
            "dependencies = []", 'dependencies = [("shop", "0001_initial")]'
        ),
    )
    squash = segment(
        folder,
        "0001_initial 0002_after",
        f"{PLAIN}{NOTHING}",
        more='initial = True\ndependencies = [("other", "0001_one")]',
    )
    (defect,) = shown(squash).defects
    assert (defect.check, defect.segment) == (Check.UPGRADE, "0001_squashed_0002")
    assert defect.what == "a circle of other.0001_one, shop.0001_squashed_0002"


def test_a_project_that_cannot_be_built_to_its_end_is_a_gap(
    scratch_server: None, make_app: MakeApp
) -> None:
    """Where another app's migrations fail on an engine, the range alone is compared from zero."""
    folder = make_app("shop", m0001_initial=f"[{PLAIN}]", m0002_more=f"[{NOTHING}]")
    make_app("other", m0001_wrong='[migrations.RunSQL("WRONG")]')
    squash = segment(folder, "0001_initial 0002_more", PLAIN + NOTHING, more="initial = True")
    proof = prove(plan(squash), alias="default", vendors=["sqlite"], repeats=1)
    assert proof.defects == ()
    (engine,) = proof.engines
    assert engine.gaps == (
        (
            "The rest of the project cannot be applied: other.0001_wrong, operation 1 (Raw SQL "
            'operation): OperationalError: near "WRONG": syntax error'
        ),
    )
    assert engine.digests[0] == engine.digests[1] != ""
