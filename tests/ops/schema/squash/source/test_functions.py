"""Functions of migrations in squashed files: they are copied with what they need."""

import sys
from textwrap import dedent

import pytest

from django_runbook.schema.errors import MigrationsError
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.squashed import MODEL, body, file, require_same, squashed

#: Functions that are generic: by a variable of types and, since Python 3.12, by type parameters.
GENERIC = ['U = TypeVar("U")\n\n\ndef helper(x: U) -> U:\n    return x']
if sys.version_info >= (3, 12):
    GENERIC += [
        "def helper[T](x: T) -> T:\n    return x",
        "class Box[T: int](list[T]):\n    x: T\n\n\ndef helper(x):\n    return Box([x])[0]",
        "type Two[T] = tuple[T, T]\n\n\ndef helper(x: Two[int]):\n    return Two.__value__ and x",
    ]


def test_a_lambda_and_a_closure(make_app: MakeApp) -> None:
    """What Django cannot write down is copied as its author wrote it."""
    make_app(
        "shop",
        m0001_initial=MODEL,
        m0002_code=file(
            """[
                migrations.RunPython(lambda apps, editor: say("it"), atomic=False, hints={"a": 1}),
                migrations.RunPython(make(3), reverse_code=partial(undo, word="x"), elidable=True),
            ]""",
            """
            from functools import partial


            def say(word):
                return word


            def make(times):
                def inner(apps, editor):
                    return say("it" * times)

                return inner


            def undo(apps, editor, word):
                return say(word)
            """,
        ),
    )
    made, migration = squashed()
    assert "lambda apps, editor: say" in made.text
    assert [one.elidable for one in migration.operations[1:]] == [False, True]
    assert migration.operations[2].code(None, None) == "ititit"
    require_same()


@pytest.mark.parametrize("code", GENERIC)
def test_generic_code(make_app: MakeApp, code: str) -> None:
    """A type parameter is no name of the module: it stays, and the code is copied once."""
    texts = [
        file(
            "[migrations.RunPython(fill)]",
            f"from typing import TypeVar\nT = {number}\n\n\n{code}\n\n\n"
            "def fill(apps, editor):\n    return T, helper(T)",
            after=after,
        )
        for number, after in [(1, "0001_initial"), (2, "0002_one")]
    ]
    make_app("shop", m0001_initial=MODEL, m0002_one=texts[0], m0003_two=texts[1])
    made, migration = squashed()
    assert made.text.count("def helper") == made.text.count(code) == 1
    assert [one.code(None, None) for one in migration.operations[1:]] == [(1, 1), (2, 2)]


def test_a_star_import(make_app: MakeApp) -> None:
    """A name that came by a star is imported by itself."""
    make_app(
        "shop",
        m0001_initial=MODEL,
        m0002_code=file(
            "[migrations.RunPython(fill)]",
            """
            from string import *


            def fill(apps, editor):
                return capwords(digits)
            """,
        ),
    )
    made, migration = squashed()
    assert body(made.text).startswith("from string import capwords, digits\n")
    assert migration.operations[1].code(None, None) == "0123456789"
    require_same()


def test_names_that_clash(make_app: MakeApp) -> None:
    """Equal code is copied once; other code of the same name gets another, wherever it is used."""
    common = """


            def noop(apps, editor):
                return "nothing"
            """
    make_app(
        "shop",
        m0001_initial=MODEL,
        m0002_one=file(
            "[migrations.RunPython(fill, noop)]",
            """
            import datetime

            SIZE = 1


            def fill(apps, editor):
                size = SIZE
                return [SIZE for _ in range(size)], datetime.date.min
            """
            + common,
        ),
        m0003_two=file(
            "[migrations.RunPython(fill, noop), migrations.RunSQL(f'SELECT {SIZE}', 'SELECT 2')]",
            """
            from datetime import date as datetime

            SIZE = 3


            def fill(apps, editor):
                global SIZE
                SIZE += 1
                try:
                    return (lambda SIZE=SIZE: SIZE)(), datetime.min, fill.__name__
                finally:
                    SIZE -= 1
            """
            + common,
            after="0002_one",
        ),
    )
    made, migration = squashed()
    assert made.text.count("def noop(") == 1
    assert "from datetime import date as datetime_0003" in made.text
    assert "SELECT 3" in migration.operations[3].sql
    assert str(migration.operations[1].code(None, None)) == "([1], datetime.date(1, 1, 1))"
    assert str(migration.operations[2].code(None, None)) == (
        "(4, datetime.date(1, 1, 1), 'fill_0003')"
    )


def test_code_in_the_class(make_app: MakeApp) -> None:
    """Functions and constants of the class are lifted out of it, strings unchanged."""
    make_app(
        "shop",
        m0001_initial=MODEL,
        m0002_code=dedent(
            '''\
            class Migration(migrations.Migration):
                dependencies = [("shop", "0001_initial")]

                SQL = """
                SELECT 'two
                    lines'
                """

                # Says it.
                def fill(apps, editor):
                    text = """
                    a
                """
                    return text

                operations = [migrations.RunSQL(SQL), migrations.RunPython(fill)]
            '''
        ),
    )
    made, migration = squashed()
    assert migration.operations[1].sql == "\n    SELECT 'two\n        lines'\n    "
    assert migration.operations[2].code(None, None) == "\n        a\n    "
    assert "# Says it.\ndef fill(" in made.text
    require_same()


def test_what_changes_a_constant_and_what_binds_it_twice(make_app: MakeApp) -> None:
    """Statements that extend a constant, or bind it in ``try`` and ``if``, come with it."""
    make_app(
        "shop",
        m0001_initial=MODEL,
        m0002_code=file(
            "[migrations.RunPython(fill)]",
            """
            try:
                import nowhere_to_be_found
            except ImportError:
                nowhere_to_be_found = None

            if django.VERSION > (1, 0):
                WORDS = ["a"]
            else:
                WORDS = []
            WORDS.append("b")
            WORDS += ["c"]
            print  # not needed


            def fill(apps, editor):
                return nowhere_to_be_found, WORDS


            fill.word = "said"
            """,
        ),
    )
    made, migration = squashed()
    code = migration.operations[1].code
    assert (code(None, None), code.word) == ((None, ["a", "b", "c"]), "said")
    assert "not needed" not in made.text
    require_same()


@pytest.mark.parametrize(
    ("operations", "above", "message"),
    [
        (
            "[migrations.RunPython(make()) for _ in range(1)]",
            "def make():\n    def inner(apps, editor):\n        pass\n    return inner",
            (
                "0002_code.py: the function 'make.<locals>.inner' cannot be copied, for it was "
                "made by other code. Define it at the top of the file."
            ),
        ),
        (
            "[migrations.RunPython(fill)]",
            "globals()['hidden'] = 1\n\n\ndef fill(apps, editor):\n    return hidden",
            "0002_code.py: it cannot be seen where 'hidden' comes from. Write it out.",
        ),
        (
            "[migrations.RunPython(first.noop)]",
            "import importlib\nfirst = importlib.import_module('shop.migrations.0001_initial')",
            (
                "0002_code.py names shop.migrations.0001_initial in its code, a file that the "
                "squash replaces. Move what it needs into it."
            ),
        ),
    ],
)
def test_what_cannot_be_copied(
    make_app: MakeApp, operations: str, above: str, message: str
) -> None:
    """Code that would not run in the new file is refused by its name."""
    first = file("[]", "def noop(apps, editor):\n    pass", after="")
    make_app("shop", m0001_initial=first, m0002_code=file(operations, above))
    with pytest.raises(MigrationsError) as caught:
        squashed()
    assert str(caught.value) == message
