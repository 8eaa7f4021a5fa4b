"""Jobs that are declared and cannot be: each gate and each renderer says so, in one line."""

import pytest

from tests.ops.jobs.shops import DAILY, SCHEDULE, shop_fixture

__all__ = ["shop_fixture"]
pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite")]

RENDERERS = [
    ("schedule.render",),
    ("schedule.render", "--check"),
    *(("schedule.export", form) for form in ("crontab", "systemd", "kubernetes")),
]
UNKNOWN = (
    "The job send_bils of pyproject.toml names no management command. Call the table "
    "[tool.django-runbook.jobs.send_bils] send_bills."
)


@pytest.fixture(name="misspelt")
def misspelt_fixture(shop):
    """Return a repository whose job is declared with a wrong name."""
    shop.declare(SCHEDULE + DAILY.replace("send_bills", "send_bils"))
    return shop


@pytest.mark.slow
@pytest.mark.parametrize("argv", RENDERERS, ids=" ".join)
def test_renderers_refuse_a_job_that_names_no_command(misspelt, argv):
    """Nothing is printed or written that would fail each night."""
    done = misspelt.inv(*argv)
    assert (done.code, done.out, done.err) == (1, "", f"{UNKNOWN}\n")
    assert not (misspelt.root / ".github").exists()


def test_gates_find_a_job_that_names_no_command(misspelt):
    """`inv check` by a gate of its own, `inv doctor` by a line; other jobs run all the same."""
    doctor = misspelt.inv("doctor")
    line = "WRONG  checks      " + UNKNOWN.replace(" Call", " (runbook_jobs.W002)  ->  Call")
    assert (doctor.code, line in doctor.out.splitlines()) == (1, True)
    gate = misspelt.manage("check", "--tag=runbook_jobs", "--fail-level=WARNING")
    assert gate.code == 1
    assert misspelt.manage("run_job", "clearsessions").code == 0
    wrong = misspelt.manage("run_job", "send_bils")
    assert wrong.code == 2
    assert wrong.err.endswith(
        "CommandError: There is no management command 'send_bils'. Did you mean send_bills?\n"
    )


@pytest.mark.slow
def test_gate_of_the_jobs_is_one_of_check(misspelt):
    """It fails; the other gates are shown beside it."""
    done = misspelt.inv("check")
    verdicts = {line.split()[0]: line.split()[1] for line in done.out.splitlines()[-4:]}
    assert done.code == 1
    assert [line.split()[1] for line in done.out.splitlines() if line.startswith("jobs  ")] == [
        "FAILED"
    ], verdicts
    assert UNKNOWN.partition(" Call")[0] in done.out


@pytest.mark.parametrize("other", ["Send_Bills", "SEND_BILLS", "send_bills_"])
def test_jobs_whose_exported_names_are_one_are_refused_everywhere(shop, other):
    """Units, workflows and CronJobs would overwrite each other's files."""
    shop.declare(SCHEDULE + DAILY + DAILY.replace("send_bills", other))
    message = (
        f"{shop.root / 'pyproject.toml'}: tool.django-runbook.jobs.{other} and "
        "tool.django-runbook.jobs.send_bills are both exported as send-bills; allowed: names that "
        "differ in more than capitals and _ at the end."
    )
    for argv in (*RENDERERS, ("check",)):
        done = shop.inv(*argv)
        assert (done.code, done.out, done.err) == (1, "", f"{message}\n"), argv
    doctor = shop.inv("doctor")
    assert (doctor.code, f"WRONG  settings    {message}" in doctor.out) == (1, True)
    run = shop.manage("run_job", "send_bills", "--slot=latest")
    assert (run.code, run.err) == (1, f"CommandError: {message}\n")


@pytest.mark.slow
def test_renderer_without_settings_says_what_was_not_looked_at(shop):
    """A schedule can be told where the secrets of the settings are not."""
    shop.declare(SCHEDULE + DAILY)
    done = shop.inv("schedule.export", "crontab", DATABASE_URL="nonsense")
    assert (done.code, "jobs.run send_bills --slot=latest" in done.out) == (0, True)
    assert done.err.startswith("Whether the jobs' commands exist was not looked at: ")
    assert done.err.count("\n") == 1
