"""`manage.py squash`: what it says and how it ends; what is proved is proved elsewhere."""

import json
from dataclasses import replace
from typing import Any

import pytest

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.management.commands import squash as command
from django_runbook.schema.squash.proof.results import Proof
from tests.ops.schema.squash.plan_and_proof import BROKEN, PLAN, PROOF

PLANNED = """\
users: 6 migrations can become 3 files.
  0001_squashed_0003_profile replaces 0001_initial to 0003_profile (3): 4 operations become 2
    without 0002_name: forwards
  0004_fill stays
  0005_squashed_0006_more replaces 0005_index to 0006_more (2): 2 operations become 1
Not fewer, because of:
  0004_fill: RunPython that is not elidable. Mark it elidable=True where no new database needs it.
Cut before 0005_index, since in one file it is not the same:
  schema: index users_user_a is new [postgresql] [0005_squashed_0006_more] [operation 2]
Elidable, and kept, since it does something, or could not be tried: 0006_more: 1
"""
SAME = "schema equal but for names and order"
PROVED = f"""\
Proved: users, 6 files -> 3, 6 operations -> 3.
  sqlite 3.40.1 (in memory): schema equal, 1 row, 1 seeded row, 1 state in 1 run
    migrate from zero: 0.50 s -> 0.44 s
  postgresql 18.1 (embedded): {SAME}, 0 rows, 40 seeded rows, 7 states in 3 runs
    migrate from zero: 1.50 s -> 1.62 s
    only a name differs: users_user: index a is called b
    only the order differs: users_user: id, name is name, id
    not looked at: extension x
--finish must wait for databases at users.0001_initial to users.0002_name (2 states), \
until they have recorded the squash.
"""
NEXT = """\
Wrote /nowhere/migrations/0001_squashed_0003_profile.py
Next: commit these files, and deploy them with the old ones.
Once every environment has migrated, 'inv db.squash users --finish' removes the old files.
"""
NOT_PROVED = """\
Not proved: users, 6 files -> 3, 6 operations -> 3.
  postgresql 18.1 (embedded): schema NOT equal, 0 rows, 40 seeded rows, 7 states in 3 runs
    migrate from zero: 1.50 s -> 1.62 s
What is not the same:
  schema: index users_user_a is new [postgresql] [0005_squashed_0006_more] [operation 2]
--finish must wait for databases at users.0001_initial to users.0002_name (2 states), \
until they have recorded the squash.
"""


def test_proved_squash_is_written(squash: Any, proves: Any) -> None:
    """The plan, the proof with its measures, the files, and what comes next."""
    seen = proves(PROOF)
    assert squash("users", "--from", "0001", "--to", "0006") == (
        0,
        PLANNED + PROVED + NEXT,
        "sqlite: from zero (2)\n",
    )
    assert seen == [(("users", "0001", "0006"), {"alias": "default"}), "written"]


def test_dry_run_writes_nothing(squash: Any, proves: Any) -> None:
    """All is tried, and nothing is written."""
    seen = proves(PROOF)
    code, out, _ = squash("users", "--dry-run")
    assert (code, out) == (0, f"{PLANNED}{PROVED}Dry run: nothing was written.\n")
    assert "written" not in seen


def test_squash_that_is_not_the_same_is_not_written(squash: Any, proves: Any) -> None:
    """What differs, where, and what could be squashed; exit code 1."""
    seen = proves(BROKEN)
    code, out, err = squash("users")
    assert (code, out) == (1, PLANNED + NOT_PROVED)
    assert err == (
        "sqlite: from zero (2)\nNothing was written. What comes before can be squashed: "
        "'inv db.squash users --to 0003_profile'.\n"
    )
    assert "written" not in seen


def test_difference_in_the_first_file(squash: Any, proves: Any) -> None:
    """Nothing comes before it."""
    first = replace(BROKEN.defects[0], segment="0001_squashed_0003_profile")
    for segment in (first, replace(first, segment="")):
        proves(replace(BROKEN, defects=(segment,)))
        assert squash("users")[2].endswith(
            "Nothing was written. Squash a smaller range with --from and --to, "
            "or keep the old files.\n"
        )


def test_nothing_can_be_squashed(squash: Any, proves: Any) -> None:
    """Why not, and exit code 3; there is no proof of nothing."""
    plan = replace(PLAN, segments=(), kept=("0001_initial", "0004_fill"))
    seen = proves(Proof(app_label="users", last="", files_proved=()), plan)
    code, out, err = squash("users")
    assert (code, "written" in seen) == (3, False)
    assert out.splitlines()[:3] == [
        "users: 2 migrations can become 2 files.",
        "  0001_initial stays",
        "  0004_fill stays",
    ]
    assert "roved" not in out
    assert err.endswith("\nNothing of users can be squashed.\n")


def test_without_postgresql_nothing_is_proved(squash: Any, proves: Any) -> None:
    """What SQLite shows is shown, called no proof, and not written."""
    note = "There is no PostgreSQL. What sqlite shows is no proof."
    seen = proves(replace(PROOF, engines=PROOF.engines[:1], notes=(note,), refused=()))
    code, out, err = squash("users")
    assert (code, "written" in seen) == (1, False)
    assert out == PLANNED + (
        "Not proved: users, 6 files -> 3, 6 operations -> 3.\n"
        "  sqlite 3.40.1 (in memory): schema equal, 1 row, 1 seeded row, 1 state in 1 run\n"
        "    migrate from zero: 0.50 s -> 0.44 s\n"
        f"  Note: {note}\n"
    )
    assert err.endswith(
        "Nothing was written. Without PostgreSQL nothing is proved: the notes say why it showed "
        "nothing.\n"
    )


@pytest.mark.parametrize(("proof", "code"), [(PROOF, 0), (BROKEN, 1)])
def test_json(squash: Any, proves: Any, proof: Proof, code: int) -> None:
    """One object with the plan, the proof, and what was written; the exit code is the same."""
    proves(proof)
    done, out, _ = squash("users", "--json")
    said = json.loads(out)
    assert (done, sorted(said)) == (
        code,
        ["caused", "cuts", "kept_in", "plan", "proof", "written"],
    )
    assert said["plan"]["segments"][0]["file"] == str(PLAN.segments[0].file)
    assert said["proof"]["files"] == [6, 3]
    assert said["written"] == ([str(PLAN.segments[0].file)] if code == 0 else [])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "Name the app, as in 'inv db.squash users'."),
        (["usrs"], "No installed app with label 'usrs'. Did you mean users?"),
        (["--verify", "usrs"], "No installed app with label 'usrs'. Did you mean users?"),
        (["users", "--verify", "--finish"], "--verify and --finish do not go together."),
        (["users", "--verify", "--to=1"], "--to goes with neither --verify nor --finish."),
        (
            ["users", "--finish", "--from=1", "--to=2"],
            "--from goes with neither --verify nor --finish.",
        ),
        (
            ["users", "--applied=production=x"],
            "--applied and --no-environments go with --finish.",
        ),
        (["users", "--no-environments"], "--applied and --no-environments go with --finish."),
        *[
            (
                ["users", "--finish", f"--applied={word}"],
                f"--applied {word} is not NAME=FILE, as in --applied production=production.json.",
            )
            for word in ("production", "production=", "=file")
        ],
    ],
)
def test_wrong_usage(squash: Any, argv: list[str], message: str) -> None:
    """One line, and exit code 2."""
    assert squash(*argv) == (2, "", f"{message}\n")


def test_refusal_is_one_line(squash: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be squashed at all ends with exit code 3."""

    def refuses(*_args: Any, **_kwargs: Any) -> None:
        raise MigrationsError("users.0001_initial is the only one.")

    monkeypatch.setattr(command, "proved_plan", refuses)
    assert squash("users") == (3, "", "users.0001_initial is the only one.\n")


def test_quiet_progress(squash: Any, proves: Any) -> None:
    """At ``-v 0`` nobody is told."""
    proves(PROOF)
    assert squash("users", "--dry-run", "-v0")[2] == ""
