"""`inv doctor`: each line is OK, or says what is wrong and the command that mends it."""

import json

import pytest

from django_runbook.tasks import doctor


def lines(text: str) -> dict[str, tuple[str, str]]:
    """Return the verdict and the rest of each line, by its name."""
    split = [line.split(maxsplit=2) for line in text.splitlines()]
    return {name: (verdict, rest) for verdict, name, rest in split}


@pytest.mark.locked
def test_healthy_checkout_is_all_ok(commands, database_url, engine):
    """Every line is OK and the exit code is 0."""
    done = commands.inv("doctor", DATABASE_URL=database_url)
    found = lines(done.out)
    assert (done.code, done.err) == (0, "")
    assert list(found) == [
        "python", "lock", "settings", "target", "client", "database", "migrations", "graph",
        "schedule",
    ]  # fmt: skip
    assert {verdict for verdict, _rest in found.values()} == {"OK"}
    assert found["target"][1].startswith(f"local {engine} ")
    assert found["target"][1].endswith(" (not protected: settings.ENVIRONMENT is local)")
    assert found["database"][1].startswith(f"reachable, {engine} ")


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_unapplied_migrations_name_their_fix(commands, empty_database_url):
    """What is wrong carries the command that mends it, and the exit code is 1."""
    done = commands.inv("doctor", DATABASE_URL=empty_database_url)
    wrong = [line for line in done.out.splitlines() if line.startswith("WRONG")]
    assert done.code == 1
    assert [line.rpartition("->  ")[2] for line in wrong] == ["inv db.migrate"]


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_unreachable_server_is_a_line(commands, empty_database_url):
    """The driver's reason stands in the line, and the password does not."""
    url = "postgresql://me:hunter2@127.0.0.1:1/x"
    done = commands.inv("doctor", DATABASE_URL=url)
    verdict, rest = lines(done.out)["database"]
    assert (done.code, verdict) == (1, "WRONG")
    assert "Connection refused" in rest
    assert "hunter2" not in done.out + done.err


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_protected_target_says_why(commands, database_url):
    """Who names the environment is said, so that it can be mended there."""
    done = commands.inv("doctor", DATABASE_URL=database_url, ENVIRONMENT="Live")
    assert lines(done.out)["target"] == (
        "OK",
        (
            f"live sqlite {database_url.removeprefix('sqlite:///')} (protected: "
            "settings.ENVIRONMENT is live, which is not declared as unprotected)"
        ),
    )


@pytest.mark.slow
def test_broken_settings_are_a_line(commands, tmp_path):
    """Django's own line is shown, the other things are looked at all the same."""
    done = commands.inv("doctor", DATABASE_URL="nonsense")
    found = lines(done.out)
    assert done.code == 1
    assert list(found) == ["python", "lock", "settings", "graph", "schedule"]
    assert found["settings"][0] == "WRONG"
    assert "DATABASE_URL (from the environment) is not valid" in found["settings"][1]


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_json_is_one_list(commands, database_url):
    """--json prints the same lines, and nothing else."""
    done = commands.inv("doctor", "--json", DATABASE_URL=database_url)
    found = json.loads(done.out)
    assert {tuple(line) for line in found} == {("name", "ok", "detail", "fix")}
    assert all(line["ok"] for line in found)


def test_lock_that_differs_is_named(tmp_path):
    """A package that is not as locked is named; a repository need not have this kind of lock."""
    assert doctor._lock(tmp_path).detail == "this repository has no requirements-dev.txt"
    (tmp_path / "requirements-dev.txt").write_text("invoke==0.1 \\\n    --hash=sha256:0\n")
    line = doctor._lock(tmp_path)
    assert not line.ok
    assert line.detail.startswith("1 package(s) differ from requirements-dev.txt: invoke ")


def test_schedules_are_those_of_the_workflows(tmp_path):
    """Every cron line of every workflow is shown; a repository without one says so."""
    assert doctor._schedule(tmp_path).detail == "no workflow runs by the clock"
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    text = "on:\n  schedule:\n    - cron: '17 4 * * *'  # early\n    - cron: 5 9 * * 1\n"
    (folder / "daily.yml").write_text(text)
    (folder / "ci.yaml").write_text("on: push\n")
    assert doctor._schedule(tmp_path).detail == "daily.yml 17 4 * * *, daily.yml 5 9 * * 1"
