"""Old files go once every environment has recorded the squash, and not before."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db.migrations import Migration

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import loaded
from django_runbook.schema.squash.finish import transition
from django_runbook.schema.squash.finish.environments import Environment
from django_runbook.schema.squash.finish.transition import Standing, Unready, finish, prepare
from django_runbook.schema.squash.proof.results import digest_of
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.finish.finishing import MORE, SQUASH, THING, forget, git, tree

SQUASHED = """\
import django
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

"""
FIRST, SECOND, BOTH = (
    ("one", name) for name in ("0001_initial", "0002_more", "0001_squashed_0002_more")
)
RECORDED = {FIRST, SECOND, BOTH}


def environment(*applied: tuple[str, str], tables: tuple[str, ...] = ()) -> Environment:
    """Return an environment with these recorded."""
    return Environment(
        name="production", source="URL", applied=frozenset(applied), tables=frozenset(tables)
    )


def test_squash_becomes_a_normal_migration(two_apps: Path) -> None:
    """The old files go, ``replaces`` goes, whoever named them names the squash, nothing else."""
    before = tree(two_apps)
    graph = set(loaded().graph.nodes)
    prepared = prepare("one", environments=[environment(*RECORDED)])
    assert (prepared.squashes, prepared.unready) == (("0001_squashed_0002_more",), ())
    assert prepared.mentions == ("apps/first.txt", "apps/notes.txt")
    assert tree(two_apps) == before
    finish(prepared)
    after = tree(two_apps)
    assert set(before) - set(after) == {
        "apps/one/migrations/0001_initial.py",
        "apps/one/migrations/0002_more.py",
    }
    changed = {name: text for name, text in after.items() if text != before.get(name)}
    assert set(changed) == {
        "apps/one/migrations/0001_squashed_0002_more.py",
        "apps/one/migrations/0003_last.py",
        "apps/two/migrations/0001_initial.py",
    }
    assert changed["apps/one/migrations/0001_squashed_0002_more.py"].startswith(SQUASHED)
    new = "[('one', '0002_more')]", '[("one", "0001_squashed_0002_more")]'
    last = "apps/one/migrations/0003_last.py"
    assert changed[last] == before[last].replace(*new)
    assert changed["apps/two/migrations/0001_initial.py"].endswith(
        """\
    dependencies = [
        ("one", "0001_squashed_0002_more"),
        ("contenttypes", "0001_initial"),
    ]
    run_before: list[tuple[str, str]] = [("one", "0003_last")]
    operations = []
"""
    )
    forget("one", "two")
    loader = loaded()
    assert set(loader.graph.nodes) == graph
    assert loader.replacements == {}
    with pytest.raises(MigrationsError, match=r"^one has no squashed migration that replaces"):
        prepare("one", environments=[])


@pytest.mark.usefixtures("two_apps")
def test_environments_that_are_not_ready() -> None:
    """Each way not to have recorded the squash is told apart; two that have it are ready.

    Who migrated back into its midst has it in the record, and has not applied it.
    """
    cases = [
        ((FIRST, SECOND), (), Standing.COMPLETE, ()),
        ((FIRST,), ("one_thing",), Standing.PARTIAL, ("0002_more",)),
        ((FIRST, BOTH), (), Standing.PARTIAL, ("0002_more",)),
        ((), ("one_more", "other"), Standing.TABLES, ("0001_initial", "0002_more")),
        ((("two", "0001_initial"),), ("other",), Standing.NOTHING, ("0001_initial", "0002_more")),
    ]
    asked = [environment(*applied, tables=tables) for applied, tables, _, _ in cases]
    ready = [environment(*RECORDED), environment(BOTH)]
    assert prepare("one", environments=[*ready, *asked]).unready == tuple(
        Unready(
            environment="production",
            source="URL",
            app_label="one",
            squash="0001_squashed_0002_more",
            standing=standing,
            missing=missing,
            tables=tuple(table for table in tables if table != "other"),
        )
        for _, tables, standing, missing in cases
    )


def test_proofs_stay_true(two_apps: Path) -> None:
    """The hash of a file that is changed here stays the same; that of another change does not."""
    prepared = prepare("one", environments=[])
    assert len(prepared.changed) == 3
    for file, text in prepared.changed.items():
        assert digest_of(text) == digest_of(prepared.before[file])
        assert digest_of(text + "x = 1\n") != digest_of(text)


def test_failure_brings_everything_back(two_apps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last file cannot go, every file is as it was."""
    before = tree(two_apps)
    prepared = prepare("one", environments=[])
    unlink = Path.unlink

    def fails(file: Path) -> None:
        if file.name == "0002_more.py":
            raise PermissionError(file)
        unlink(file)

    monkeypatch.setattr(Path, "unlink", fails)
    with pytest.raises(PermissionError):
        finish(prepared)
    assert tree(two_apps) == before
    assert git(two_apps, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (
            "users",
            (
                "users has no squashed migration that replaces others: there is nothing to finish. "
                "Squash first: 'inv db.squash users'."
            ),
        ),
        ("messages", "messages has no migrations."),
    ],
)
def test_nothing_to_finish(label: str, message: str) -> None:
    """An app without a squash, and one without migrations."""
    with pytest.raises(MigrationsError) as error:
        prepare(label, environments=[])
    assert str(error.value) == message


def test_installed_package_is_never_touched(
    two_apps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its squash, nor its migration that names what would go."""
    monkeypatch.setattr(transition, "is_installed", lambda file: "two" in file.parts)
    with pytest.raises(MigrationsError) as error:
        prepare("one", environments=[])
    assert str(error.value) == (
        "two.0001_initial is an installed package's and depends on one.0001_initial, which would "
        "go: keep the old files, or replace the package."
    )
    monkeypatch.setattr(transition, "is_installed", lambda file: "one" in file.parts)
    with pytest.raises(MigrationsError) as error:
        prepare("one", environments=[])
    assert str(error.value) == (
        "one is an installed package: its migrations are not yours to change."
    )


def test_computed_name_is_refused(make_app: MakeApp, committed: Callable[[], Path]) -> None:
    """What is not written out cannot be changed, and is named with what to write."""
    make_app(
        "one", m0001_initial=f"[{THING}]", m0002_more=f"[{MORE}]", m0001_squashed_0002_more=SQUASH
    )
    where = make_app(
        "two",
        m0001_initial="""
            LAST = "0002_more"


            class Migration(migrations.Migration):
                dependencies = [("one", "0001_initial"), ("one", LAST)]
            """,
    )
    committed()
    with pytest.raises(MigrationsError) as error:
        prepare("one", environments=[])
    assert str(error.value) == (
        f"{where / '0001_initial.py'} depends on one.0002_more in a way that is not written out: "
        'name ("one", "0001_squashed_0002_more") there by hand, and commit.'
    )


def test_squash_of_a_squash_takes_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a replaced squash replaces goes with it. Django 5.2 cannot load such ones surely."""
    monkeypatch.setattr(transition, "is_installed", lambda _file: False)
    replaced = {
        "0001_a": [],
        "0002_b": [],
        "0001_inner": [("one", "0001_a"), ("one", "0002_b")],
        "0003_c": [],
        "0001_outer": [("one", "0001_inner"), ("one", "0003_c")],
    }
    made = {("one", name): Migration(name, "one") for name in replaced}
    for (_, name), migration in made.items():
        migration.replaces = replaced[name]
    loader: Any = SimpleNamespace(disk_migrations=made)
    (outer,) = transition._squashes(loader, "one")
    assert outer.name == "0001_outer"
    assert transition._replaced(loader, outer) == set(made) - {("one", "0001_outer")}


def test_line_ends_and_letters_stay(two_apps: Path) -> None:
    """A file with CRLF, a form feed and letters of two bytes is changed in the one place alone."""
    file = two_apps / "apps/two/migrations/0001_initial.py"
    head = b"# \xc3\xa4\x0c\r\nfrom django.db import migrations\r\n"
    text = head + (
        b"class Migration(migrations.Migration):\r\n"
        b"    dependencies = [('\xc3\xa4'[1:] or 'contenttypes', '0001_initial'), "
        b"('one', '0002_more')]\r\n"
    )
    file.write_bytes(text)
    git(two_apps, "commit", "-q", "-a", "-m", "changed")
    forget("two")
    finish(prepare("one", environments=[]))
    new = b'("one", "0001_squashed_0002_more")'
    assert file.read_bytes() == text.replace(b"('one', '0002_more')", new)
