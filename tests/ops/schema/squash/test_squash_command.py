"""`manage.py squash`: what it says and how it ends; what is proved is proved elsewhere."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from django_runbook.config import Config
from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import loaded
from django_runbook.schema.management.commands import squash as command
from django_runbook.schema.management.progress import Progress
from django_runbook.schema.squash.cuts import Repaired
from django_runbook.schema.squash.finish import proved_files
from django_runbook.schema.squash.proof.results import Check, Defect, EngineProof, Proof, read
from django_runbook.schema.squash.proof.verification import Verification
from django_runbook.schema.squash.squash_plan import Blocker, Segment, SquashPlan
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.finish.test_applied_migrations import LIST
from tests.ops.schema.squash.finish.test_finish import MORE, SQUASH, THING, forget, git, tree

PLAN = SquashPlan(
    app_label="users",
    segments=(
        Segment(
            app_label="users",
            name="0001_squashed_0003_profile",
            names=("0001_initial", "0002_name", "0003_profile"),
            file=Path("/nowhere/migrations/0001_squashed_0003_profile.py"),
            text="first",
            before=4,
            after=2,
            elided=("0002_name: forwards",),
        ),
        Segment(
            app_label="users",
            name="0005_squashed_0006_more",
            names=("0005_index", "0006_more"),
            file=Path("/nowhere/migrations/0005_squashed_0006_more.py"),
            text="second",
            before=2,
            after=1,
        ),
    ),
    kept=("0004_fill",),
    blockers=(
        Blocker(
            migration="0004_fill",
            reason="RunPython that is not elidable",
            fix="Mark it elidable=True where no new database needs it.",
        ),
    ),
)
PROOF = Proof(
    app_label="users",
    last="0006_more",
    files_proved=(),
    engines=(
        EngineProof(
            vendor="sqlite",
            version="3.40.1",
            origin="in memory",
            digests=("a", "a"),
            states=1,
            runs=1,
            rows=1,
            seeded_rows=1,
            seconds=(0.5, 0.44),
        ),
        EngineProof(
            vendor="postgresql",
            version="18.1",
            origin="embedded",
            digests=("b", "b"),
            names=("users_user: index a is called b",),
            order=("users_user: id, name is name, id",),
            states=7,
            runs=3,
            rows=0,
            seeded_rows=40,
            seconds=(1.5, 1.625),
            gaps=("extension x",),
        ),
    ),
    operations=(6, 3),
    files=(6, 3),
    refused=("users.0001_initial", "users.0002_name"),
)
BROKEN = replace(
    PROOF,
    engines=(replace(PROOF.engines[1], digests=("b", "c"), names=(), order=(), gaps=()),),
    defects=(
        Defect(
            check=Check.SCHEMA,
            what="index users_user_a is new",
            segment="0005_squashed_0006_more",
            place="operation 2",
            vendor="postgresql",
        ),
    ),
)
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


@pytest.fixture
def squash() -> Callable[..., tuple[int, str, str]]:
    """Return what runs the command: its exit code, what it prints, and its errors."""

    def run(*argv: str) -> tuple[int, str, str]:
        out, err = StringIO(), StringIO()
        try:
            call_command("squash", *argv, stdout=out, stderr=err)
        except CommandError as error:
            return error.returncode, out.getvalue(), f"{err.getvalue()}{error}\n"
        return 0, out.getvalue(), err.getvalue()

    return run


@pytest.fixture
def proves(monkeypatch: pytest.MonkeyPatch) -> Callable[[Proof], list[Any]]:
    """Return what makes the proof come out as given, and what is asked and written."""

    def prepare(proof: Proof, plan: SquashPlan = PLAN) -> list[Any]:
        seen: list[Any] = []

        def proved(_loader: Any, *args: Any, progress: Any, **kwargs: Any) -> Repaired:
            seen.append((args, kwargs))
            progress("sqlite", "from zero", 1, 2)
            progress("sqlite", "from zero", 2, 2)
            return Repaired(
                plan=plan,
                proof=proof,
                cuts=("0005_index",),
                caused=(BROKEN.defects[0],),
                kept_in=("0006_more: 1",),
            )

        def land(plan: SquashPlan, _proof: Proof) -> tuple[Path, ...]:
            seen.append("written")
            return (plan.segments[0].file,)

        monkeypatch.setattr(command, "proved_plan", proved)
        monkeypatch.setattr(command, "land", land)
        return seen

    return prepare


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


def test_changes_that_are_not_committed(squash: Any, shop: Path, proves: Any) -> None:
    """They are told before the work begins; a dry run does not mind."""
    proves(PROOF)
    text = "from django.db import migrations\n\n\nclass Migration(migrations.Migration): ...\n"
    (shop / "apps/one/migrations/0003_new.py").write_text(text)
    assert squash("one") == (
        3,
        "",
        (
            "apps/one/migrations/0003_new.py is not committed. "
            "Commit it, so that the squash can be told apart.\n"
        ),
    )
    assert squash("one", "--dry-run")[0] == 0
    (shop / "apps/one/migrations/0003_new.py").unlink()
    (shop / "apps/new.txt").touch()
    assert squash("one")[0] == 0


class Terminal(StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_progress_is_one_line_on_a_terminal() -> None:
    """It changes, and is gone in the end; elsewhere there is a line for each thing tried."""
    terminal, file = Terminal(), StringIO()
    for stream in (terminal, file):
        progress = Progress(OutputWrapper(stream))
        progress("sqlite", "from zero", 1, 2)
        progress("sqlite", "from zero", 2, 2)
        progress("postgresql", "from zero", 1, 2)
        progress.close()
    assert terminal.getvalue() == (
        "\r\033[Ksqlite: from zero 1/2\r\033[Ksqlite: from zero 2/2"
        "\r\033[Kpostgresql: from zero 1/2\r\033[K"
    )
    assert file.getvalue() == "sqlite: from zero (2)\npostgresql: from zero (2)\n"


def test_quiet_progress(squash: Any, proves: Any) -> None:
    """At ``-v 0`` nobody is told."""
    proves(PROOF)
    assert squash("users", "--dry-run", "-v0")[2] == ""


@pytest.fixture
def verifies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Return what makes the proofs of the repository come out as given."""

    def prepare(*found: Verification) -> None:
        by_file = {one.file: one for one in found}
        monkeypatch.setattr(command, "proof_files", lambda _label: tuple(by_file))
        monkeypatch.setattr(command, "verify", lambda file, **_: by_file[file])

    return prepare


GOOD = Verification(file=Path("/a.json"), engines=("sqlite", "postgresql"))
BAD = Verification(
    file=Path("/b.json"),
    failures=("users.0001_squashed was changed since it was proved.",),
    notes=("postgresql was not asked: there is none.",),
)


def test_proofs_that_hold(squash: Any, verifies: Any) -> None:
    """Each is named with the engines that were asked."""
    verifies(GOOD)
    assert squash("--verify") == (
        0,
        "/a.json: holds (sqlite, postgresql)\n1 proof(s) hold.\n",
        "",
    )


def test_proof_that_does_not_hold(squash: Any, verifies: Any) -> None:
    """The reasons, what is to be known, and exit code 1."""
    verifies(GOOD, BAD)
    said = (
        "/a.json: holds (sqlite, postgresql)\n"
        "/b.json: does NOT hold\n"
        "  users.0001_squashed was changed since it was proved.\n"
        "  Note: postgresql was not asked: there is none.\n"
    )
    assert squash("--verify") == (1, said, "1 of 2 proof(s) do not hold.\n")
    code, out, _ = squash("--verify", "--json")
    assert (code, [one["file"] for one in json.loads(out)]) == (1, ["/a.json", "/b.json"])


def test_proofs_are_found(squash: Any, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one app, or of all; an app that has none says so where it is named."""
    for label in ("one", "two"):
        folder = make_app(label, m0001_initial="[]") / "proofs"
        folder.mkdir()
        (folder / "0001_squashed.json").write_text("{}")
        (folder / "notes.txt").touch()
    assert [file.parts[-4] for file in proved_files.proof_files() if "apps" in file.parts] == [
        "one",
        "two",
    ]
    assert [file.parts[-4] for file in proved_files.proof_files("two")] == ["two"]
    monkeypatch.setattr(proved_files, "is_installed", lambda file: "two" in file.parts)
    for label in ("two", "messages"):
        assert squash(label, "--verify") == (
            3,
            "",
            f"{label} has no proof of a squash. 'inv db.squash {label}' makes one.\n",
        )


def test_file_that_is_no_proof(squash: Any, make_app: MakeApp) -> None:
    """It is named in one line."""
    folder = make_app("one", m0001_initial="[]") / "proofs"
    folder.mkdir()
    (folder / "0001_squashed.json").write_text("{}")
    code, out, err = squash("one", "--verify")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert err.startswith(f"{folder / '0001_squashed.json'} is no proof of a squash")


def test_proof_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without its proof no squash stays."""
    file = tmp_path / "0001_squashed_0003_profile.py"
    plan = replace(PLAN, segments=(replace(PLAN.segments[0], file=file),))

    def write(plan: SquashPlan) -> tuple[Path, ...]:
        file.write_text(plan.segments[0].text)
        return (file,)

    monkeypatch.setattr(proved_files.staging, "write", write)
    (tmp_path / "proofs").touch()
    with pytest.raises(OSError, match="proofs"):
        proved_files.land(plan, PROOF)
    assert [found.name for found in tmp_path.iterdir()] == ["proofs"]
    (tmp_path / "proofs").unlink()
    proof = tmp_path / "proofs/0001_squashed_0003_profile.json"
    assert proved_files.land(plan, PROOF) == (file, proof)
    assert read(proof) == PROOF


# The transition.


@pytest.fixture
def shop(make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a squashed app that is committed, and stand where it lies."""
    make_app(
        "one", m0001_initial=f"[{THING}]", m0002_more=f"[{MORE}]", m0001_squashed_0002_more=SQUASH
    )
    (tmp_path / ".gitignore").write_text("__pycache__/\n*.json\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "all")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Return what declares environments."""

    def make(**variables: str) -> None:
        made = Config(
            root=tmp_path,
            manage=tmp_path / "manage.py",
            protected=frozenset(),
            environments=MappingProxyType(variables),
        )
        monkeypatch.setattr(command, "of_settings", lambda: made)

    return make


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


@pytest.mark.slow
def test_from_the_squash_to_its_end(
    squash: Any, make_app: MakeApp, tmp_path: Path, declare: Any, scratch_server: None
) -> None:
    """Squashed, proved, verified, finished, and verified again: all for real, on both engines."""
    make_app(
        "one",
        m0001_initial=f"[{THING}]",
        m0002_more="""[
            migrations.AddField("Thing", "name", models.CharField(max_length=9, default="")),
        ]""",
        m0003_longer="""[
            migrations.AlterField("Thing", "name", models.CharField(max_length=99, default="")),
        ]""",
    )
    (tmp_path / ".gitignore").write_text("__pycache__/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "all")
    code, out, err = squash("one", "--to", "0003")
    assert code == 0, (out, err)
    assert out.startswith("one: 3 migrations can become 1 file.\n")
    assert "Proved: one, 3 files -> 1, 3 operations -> 1.\n" in out
    written = set(git(tmp_path, "ls-files", "--others", "--exclude-standard").split())
    assert len(written) == 2, written
    assert squash("one", "--verify")[0] == 0
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "squashed")
    declare()
    forget("one")
    assert squash("one", "--finish", "--no-environments")[0] == 0
    forget("one")
    assert {key[1] for key in loaded().graph.nodes if key[0] == "one"} == {
        Path(name).stem for name in written if name.endswith(".py")
    }
    code, out, err = squash("one", "--verify")
    assert code == 0, (out, err)
