"""`manage.py squash --finish`: what it says, what it refuses, and how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.ops.schema.squash.finish.finishing import tree
from tests.ops.schema.squash.finish.test_applied_migrations import LIST


def applied(shop: Path, name: str, *migrations: str, tables: tuple[str, ...] = ()) -> str:
    """Return the option with a list of what an environment has applied."""
    facts = {
        **LIST,
        "environment": name,
        "created": "2026-05-04T12:00:00+00:00",
        "migrations": [f"one.{migration}" for migration in migrations],
        "tables": tables,
    }
    (shop / f"{name}.json").write_text(json.dumps(facts))
    return f"--applied={name}={name}.json"


NAMES = ("0001_initial", "0002_more", "0001_squashed_0002_more")


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Let it be a day in May."""
    with time_machine.travel("2026-05-04T13:00:00+00:00"):
        yield


def test_finish(squash: Any, shop: Path, declare: Any) -> None:
    """Every environment has recorded it: the old files go, and the rest is said."""
    declare(production="PRODUCTION_URL", staging="STAGING_URL")
    lists = [applied(shop, name, *NAMES) for name in ("production", "staging")]
    before = tree(shop)
    code, out, err = squash("one", "--finish", "--dry-run", *lists)
    assert (code, err, tree(shop)) == (0, "", before)
    assert out == (
        "one: 0001_squashed_0002_more becomes normal.\n"
        "  Would remove 2 files:\n"
        "    apps/one/migrations/0001_initial.py\n"
        "    apps/one/migrations/0002_more.py\n"
        "  Would change 1 file:\n"
        "    apps/one/migrations/0001_squashed_0002_more.py\n"
    )
    code, out, err = squash("one", "--finish", *lists)
    assert (code, err) == (0, "")
    assert out == (
        "one: 0001_squashed_0002_more was made normal.\n"
        "  Removed 2 files:\n"
        "    apps/one/migrations/0001_initial.py\n"
        "    apps/one/migrations/0002_more.py\n"
        "  Changed 1 file:\n"
        "    apps/one/migrations/0001_squashed_0002_more.py\n"
        "Commit that. Where it is deployed, 'inv db.migrate one -- --prune' takes the old names "
        "out of the record.\n"
    )
    assert "replaces" not in tree(shop)["apps/one/migrations/0001_squashed_0002_more.py"]


def test_finish_is_refused_while_one_is_not_ready(squash: Any, shop: Path, declare: Any) -> None:
    """Each that is not ready is told what to run there; nothing was changed."""
    declare(a="A_URL", b="B_URL", c="C_URL", d="D_URL", e="E_URL", f="F_URL")
    before = tree(shop)
    code, out, err = squash(
        "one",
        "--finish",
        applied(shop, "a", *NAMES),
        applied(shop, "b", *NAMES[:2]),
        applied(shop, "c", *NAMES[:1], tables=("one_thing",)),
        applied(shop, "d"),
        applied(shop, "e", tables=("one_thing", "one_more")),
    )
    deploy = "Deploy this code there, with the old files, and run 'inv db.migrate one' there.\n"
    assert (code, out) == (3, "")
    assert err == (
        "f: F_URL is not set. Set it, or add --applied f=FILE, made there by "
        "'manage.py applied_migrations --json'.\n"
        "b (b.json) has applied all that 0001_squashed_0002_more replaces, and not recorded it. "
        f"{deploy}"
        f"c (c.json) has not applied 0002_more. {deploy}"
        f"d (d.json) has applied nothing of 0001_squashed_0002_more. {deploy}"
        "e (e.json) has one_more and 1 more, and no record of what made it. Run "
        "'inv db.migrate one 0001_squashed_0002_more -- --fake' and 'inv db.drift' there; where "
        "that finds a difference, take it back: 'inv db.migrate one zero -- --fake'.\n"
        "Not every environment has recorded the squash of one; nothing was changed.\n"
    )
    after = {name: text for name, text in tree(shop).items() if not name.endswith(".json")}
    assert after == before


@pytest.mark.parametrize("count", [0, 1, 2])
def test_one_environment_is_enough_to_refuse(
    squash: Any, shop: Path, declare: Any, count: int
) -> None:
    """Whether it has nothing, a part, or all but the squash itself."""
    declare(production="URL")
    code, out, err = squash("one", "--finish", applied(shop, "production", *NAMES[:count]))
    assert (code, out, len(err.splitlines())) == (3, "", 2)
    assert "replaces = [" in tree(shop)["apps/one/migrations/0001_squashed_0002_more.py"]


DECLARE = (
    "Declare them in pyproject.toml, as in [tool.django-runbook.environments] "
    'production = "PRODUCTION_DATABASE_URL"'
)


@pytest.mark.parametrize(
    ("declared", "argv", "message"),
    [
        (
            {},
            [],
            (
                "No environment is declared, so nobody can tell whether all have recorded the "
                f"squash. {DECLARE}, or add --no-environments where there is none."
            ),
        ),
        ({}, ["--applied=live=x"], f"'live' is no declared environment. {DECLARE}."),
        (
            {"production": "URL", "staging": "URL"},
            ["--applied=live=x"],
            f"'live' is no declared environment: production, staging. {DECLARE}.",
        ),
        (
            {"production": "URL"},
            ["--no-environments"],
            "--no-environments contradicts [tool.django-runbook.environments]: production.",
        ),
    ],
)
@pytest.mark.usefixtures("shop")
def test_finish_wants_to_know_the_environments(
    squash: Any, declare: Any, declared: dict[str, str], argv: list[str], message: str
) -> None:
    """Without them it is refused, unless somebody says that there are none."""
    declare(**declared)
    assert squash("one", "--finish", *argv) == (3, "", f"{message}\n")


def test_finish_without_environments(squash: Any, shop: Path, declare: Any) -> None:
    """Said knowingly, it goes on."""
    declare()
    assert squash("one", "--finish", "--no-environments")[0] == 0
    assert "apps/one/migrations/0002_more.py" not in tree(shop)


def test_bad_configuration_is_one_line(squash: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """It is refused like the rest."""
    (tmp_path / "pyproject.toml").write_text("[tool.django-runbook\n")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    monkeypatch.chdir(tmp_path)
    code, out, err = squash("users", "--finish")
    assert (code, out) == (3, "")
    assert err.startswith(f"{tmp_path / 'pyproject.toml'} cannot be read: ")
