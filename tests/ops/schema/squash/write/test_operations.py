"""Operations in squashed files: nothing of them is lost."""

from pathlib import Path
from textwrap import dedent

import pytest

from django_runbook.schema.history.graph import loaded
from django_runbook.schema.squash.plan.ranges import chain
from django_runbook.schema.squash.write import staging
from django_runbook.schema.squash.write.elision import elidables
from django_runbook.schema.squash.write.replacement import segment
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.squashed import MODEL, file, require_same, squashed


def test_values_of_fields_that_stand_in_migrations(make_app: MakeApp) -> None:
    """Validators, callables and classes that fields use are copied, for their file will be gone."""
    make_app(
        "shop",
        m0001_initial=file(
            """[migrations.CreateModel("Thing", [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=9, validators=[Even(2), check])),
                ("file", models.FileField(upload_to=place, default=Kind.one)),
                ("color", models.CharField(max_length=9, default=lambda: "red")),
            ], bases=(Mixin, models.Model), managers=[("objects", Manager(5))])]""",
            """
            import enum

            from django.core.exceptions import ValidationError
            from django.utils.deconstruct import deconstructible


            class Kind(enum.Enum):
                one = "1"


            class Mixin:
                word = Kind.one


            class Manager(models.Manager):
                use_in_migrations = True

                def __init__(self, size):
                    super().__init__()
                    self.size = size


            @deconstructible
            class Even:
                def __init__(self, by):
                    self.by = by

                def __call__(self, value):
                    if len(value) % self.by:
                        raise ValidationError("odd")


            def check(value):
                Even(2)(value)


            def place(instance, name):
                return f"shop.migrations.0001_initial.{name}"
            """.replace('f"shop.migrations.0001_initial.{name}"', 'f"there/{name}"'),
            after="",
        ),
        m0002_more='[migrations.AddField("thing", "more", models.TextField(default=""))]',
    )
    made, migration = squashed()
    assert made.text.count("class Even") == 1
    fields = dict(migration.operations[0].fields)
    assert len(migration.operations) == 1
    assert fields["file"].upload_to(None, "x") == "there/x"
    assert fields["color"].default() == "red"
    require_same()


def test_operations_of_an_app_keep_their_arguments(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The optimizer makes no plain operation of a custom one; keyword-only arguments stay."""
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "shop_operations.py").write_text(
        dedent(
            """
            from django.db import migrations


            class CreateLogged(migrations.CreateModel):
                def __init__(self, name, fields, *, log, **more):
                    self.log = log
                    super().__init__(name, fields, **more)


            class Loud(migrations.RunPython):
                def __init__(self, code, *words, voice=None):
                    self.words, self.voice = words, voice
                    super().__init__(code)
            """
        )
    )
    above = "from shop_operations import CreateLogged, Loud\n\n\ndef run(apps, editor):\n    pass"
    make_app(
        "shop",
        m0001_initial=file(
            """[*[CreateLogged("Thing", [("id", models.AutoField(primary_key=True))], log=9)]]""",
            above,
            after="",
        ),
        m0002_more="""[
            migrations.AddField("thing", "more", models.TextField(default="")),
            migrations.AlterModelOptions("thing", {"verbose_name": "t"}),
        ]""",
        m0003_code=file(
            """[
                migrations.SeparateDatabaseAndState([Loud(run, "a", "b", voice="c")]),
                *[Loud(run, "a", voice="d")],
                *[migrations.SeparateDatabaseAndState([Loud(run, "x", voice="y")])],
            ]""",
            above,
            after="0002_more",
        ),
    )
    _, migration = squashed()
    first, *_, separate, loud, other = migration.operations
    assert (type(first).__name__, first.log, len(migration.operations)) == ("CreateLogged", 9, 6)
    assert (loud.words, loud.voice) == (("a",), "d")
    for one, words, voice in ((separate, ("a", "b"), "c"), (other, ("x",), "y")):
        (inner,) = one.database_operations
        assert (inner.words, inner.voice) == (words, voice)
    require_same()


def test_elidable_operations(make_app: MakeApp) -> None:
    """They stay, and stay elidable, though Django would drop both; only those named go."""
    above = "def fill(apps, editor):\n    pass\n\n\ndef more(apps, editor):\n    pass"
    make_app(
        "shop",
        m0001_initial=MODEL,
        m0002_code=file(
            """[
                migrations.RunPython(fill, elidable=True),
                *[migrations.RunPython(more, elidable=True)],
                migrations.RunPython(more, elidable=True),
                migrations.RunSQL("SELECT 1", elidable=True),
                migrations.RunPython(fill),
            ]""",
            above,
        ),
    )
    require_same()
    loader = loaded()
    own = chain(loader, "shop")
    assert [*elidables(own).values()] == [
        "0002_code: fill",
        "0002_code: more 1",
        "0002_code: more 2",
        "0002_code: RunSQL",
    ]
    elide = ["0002_code: fill", "0002_code: more 2", "0002_code: RunSQL"]
    made = segment(loader, "shop", own, elide=elide)
    assert (made.after, made.elided) == (3, tuple(elide))
    assert [type(one).__name__ for one in staging.staged(made).operations] == [
        "CreateModel",
        "RunPython",
        "RunPython",
    ]
