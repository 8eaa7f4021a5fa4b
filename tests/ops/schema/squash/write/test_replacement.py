"""Squashed files as a whole, and what of the migrations' classes is kept."""

from pathlib import Path
from textwrap import dedent

import pytest

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import loaded
from django_runbook.schema.squash.plan.ranges import chain
from django_runbook.schema.squash.write import roundtrip, staging
from django_runbook.schema.squash.write.replacement import segment
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.squashed import MODEL, file, require_same, squashed


def test_a_whole_file(make_app: MakeApp) -> None:
    """Operations are merged, and functions are copied with what they need."""
    make_app(
        "shop",
        m0001_initial=MODEL,
        m0002_note="""[
            migrations.AddField("thing", "note", models.TextField(default="")),
            migrations.AlterField("thing", "name", models.CharField(max_length=20)),
        ]""",
        m0003_fill=file(
            "[migrations.RunPython(fill, migrations.RunPython.noop)]",
            """
            from collections import Counter

            LIMIT = 2


            def most(names):
                return Counter(names).most_common(LIMIT)


            # Writes the note.
            def fill(apps, schema_editor):
                things = apps.get_model("shop", "Thing").objects
                for name, _ in most(things.values_list("name", flat=True)):
                    things.filter(name=name).update(note="often")
            """,
            after="0002_note",
        ),
    )
    made, _ = squashed()
    assert made.text == dedent(
        """\
        from collections import Counter

        from django.db import migrations, models

        LIMIT = 2


        def most(names):
            return Counter(names).most_common(LIMIT)


        # Writes the note.
        def fill(apps, schema_editor):
            things = apps.get_model("shop", "Thing").objects
            for name, _ in most(things.values_list("name", flat=True)):
                things.filter(name=name).update(note="often")


        class Migration(migrations.Migration):
            initial = True

            replaces = [
                ("shop", "0001_initial"),
                ("shop", "0002_note"),
                ("shop", "0003_fill"),
            ]

            dependencies = []

            operations = [
                migrations.CreateModel(
                    name="Thing",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True)),
                        ("name", models.CharField(max_length=20)),
                        ("note", models.TextField(default="")),
                    ],
                ),
                migrations.RunPython(fill, migrations.RunPython.noop),
            ]
        """
    )
    assert (made.name, made.names, made.before, made.after, made.elided) == (
        "0001_initial_squashed_0003_fill",
        ("0001_initial", "0002_note", "0003_fill"),
        4,
        2,
        (),
    )
    assert made.file.name == "0001_initial_squashed_0003_fill.py"
    assert not made.file.exists()
    require_same()


def test_atomic_run_before_and_what_is_outside(make_app: MakeApp) -> None:
    """``atomic``, ``run_before``, swappable and other dependencies are in the file."""
    make_app(
        "other",
        m0001_initial='[migrations.CreateModel("O", [("id", models.AutoField(primary_key=True))])]',
        m0002_late="[]",
    )
    make_app(
        "shop",
        m0001_initial=file(
            "[]",
            head="""
            atomic = False
            run_before = [("other", "0002_late")]
            """,
            after="",
        ),
        m0002_more="""\
            from django.conf import settings


            class Migration(migrations.Migration):
                atomic = False
                run_before = [("other", "0002_late")]
                dependencies = [
                    ("shop", "__first__"),
                    ("shop", "0001_initial"),
                    ("other", "0001_initial"),
                    ("contenttypes", "__latest__"),
                    migrations.swappable_dependency(settings.AUTH_USER_MODEL),
                    migrations.swappable_dependency("other.O"),
                ]
                operations = [migrations.RunSQL("SELECT 1", migrations.RunSQL.noop)]
            """,
    )
    made, migration = squashed()
    assert dedent(made.text.split("Migration):\n")[1]) == dedent(
        """\
            initial = True

            atomic = False

            replaces = [
                ("shop", "0001_initial"),
                ("shop", "0002_more"),
            ]

            dependencies = [
                ("contenttypes", "__latest__"),
                ("other", "0001_initial"),
                migrations.swappable_dependency("other.O"),
                migrations.swappable_dependency(settings.AUTH_USER_MODEL),
            ]

            run_before = [
                ("other", "0002_late"),
            ]

            operations = [
                migrations.RunSQL("SELECT 1", migrations.RunSQL.noop),
            ]
        """
    ), made.text
    assert migration.atomic is False
    require_same()


def test_a_base_class_of_the_migration(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base class and what is set for it stay; code in the class is lifted out of it."""
    (tmp_path / "own").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    (tmp_path / "own" / "shop_bases.py").write_text(
        "from django.db.migrations import Migration\n\n\nclass Checked(Migration):\n    risk = 0\n"
    )
    text = """\
        from shop_bases import Checked


        class Migration(Checked):
            risk = 3
            dependencies = [{after}]
            operations = {operations}
        """
    make_app(
        "shop",
        m0001_initial=dedent(text).format(after="", operations=MODEL),
        m0002_more=dedent(text).format(after='("shop", "0001_initial")', operations="[]"),
    )
    made, migration = squashed()
    assert "class Migration(Checked):\n    risk = 3\n" in made.text
    assert migration.risk == 3


def test_a_name_that_is_taken(make_app: MakeApp) -> None:
    """A file of that name is never written over."""
    folder = make_app("shop", m0001_initial=MODEL, m0002_more="[]")
    loader = loaded()
    (folder / "0001_initial_squashed_0002_more.py").touch()
    with pytest.raises(MigrationsError, match=r"squashed_0002_more.py exists. Finish that squash"):
        segment(loader, "shop", chain(loader, "shop"))


@pytest.mark.parametrize("label", ["auth", "users"])
def test_real_apps(label: str) -> None:
    """Django's own auth and the product's users come to the same state in one file."""
    loader = loaded()
    (leaf,) = loader.graph.leaf_nodes(label)
    own = [loader.graph.nodes[key] for key in loader.graph.forwards_plan(leaf) if key[0] == label]
    made = segment(loader, label, own)
    for alone in (False, True):
        state = staging.loader([made], alone=alone).project_state()
        assert roundtrip.state_differences(loader.project_state(), state) == ()
