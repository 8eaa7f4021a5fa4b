"""The schedule for a crontab, for systemd and for Kubernetes: the same times, the same command."""

import datetime
import re
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from django_runbook.config import ConfigError, Job, Schedule
from django_runbook.schedule import crontab, kubernetes, systemd
from tests.ops.schedule.goldens import DAILY, FOLDER, JOBS, MIXED, SCHEDULE, TEXTS, WEEKLY

START = datetime.datetime(2026, 2, 20, tzinfo=datetime.UTC)


def words(expression):
    """Return what an expression allows."""
    found = CronSim(expression, START.replace(tzinfo=None))
    weekdays = {day % 7 for day in found.weekdays}
    return found.minutes, found.hours, found.days, found.months, weekdays


def of_event(event):
    """Return what a calendar event allows, and its zone."""
    week, months, days, hours, minutes, zone = re.fullmatch(
        r"(?:([\w,]+) )?\*-([\d,*]+)-([\d,*]+) ([\d,*]+):([\d,*]+):00 (\S+)", event
    ).groups()

    def numbers(text, low, high):
        return set(range(low, high + 1)) if text == "*" else set(map(int, text.split(",")))

    weekdays = set(map(systemd.WEEKDAYS.index, week.split(","))) if week else set(range(7))
    found = (
        numbers(minutes, 0, 59), numbers(hours, 0, 23), numbers(days, 1, 31),
        numbers(months, 1, 12), weekdays,
    )  # fmt: skip
    return found, zone


def manifest(job, schedule=SCHEDULE):
    """Return a CronJob as Kubernetes reads it."""
    return yaml.safe_load(kubernetes.render(job, schedule))


@pytest.mark.parametrize("name", TEXTS)
def test_goldens(name):
    """Each text, to the byte; `python -m tests.ops.schedule.goldens` writes them anew."""
    assert TEXTS[name]().encode() == (FOLDER / name).read_bytes()


def test_no_golden_is_left_over():
    """Each file beside the tests is one of the texts."""
    assert sorted(file.name for file in FOLDER.iterdir()) == sorted(TEXTS)


fields = st.tuples(
    st.sampled_from(["17", "*/20", "5,35", "7/20"]),
    st.sampled_from(["4", "*", "*/6", "1-5/2", "0,23"]),
    st.sampled_from(["*", "1", "1,15", "28-31", "*/2"]),
    st.sampled_from(["*", "2", "1-6", "JAN,DEC"]),
    st.sampled_from(["*", "0", "7", "MON-FRI", "1-5"]),
).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(fields, st.sampled_from(["UTC", "Europe/Berlin"]))
def test_each_form_carries_the_declared_times(expression, zone):
    """As they are declared where any scheduler reads that, else as the same numbers."""
    job = Job(name="expire_trials", cron=expression, timezone=zone)
    try:
        cronjob = manifest(job)["spec"]
    except ConfigError:
        return
    declared = words(expression)
    table = crontab.render(job, SCHEDULE, "/srv/shop").splitlines()
    line = " ".join(table[table.index(f"CRON_TZ={zone}") + 1].split()[:5])
    assert (words(cronjob["schedule"]), cronjob["timeZone"]) == (declared, zone)
    assert words(line) == declared
    if not re.search("[A-Z7]|7/", expression.replace("17", "")):
        assert line == cronjob["schedule"] == expression
    events = [of_event(event) for event in systemd.events(expression, zone)]
    every = set(range(1, 32)), set(range(7))
    minutes, hours, days, months, weekdays = declared
    if days != every[0] and weekdays != every[1]:  # one of them
        either = [(days, every[1]), (every[0], weekdays)]
    else:
        either = [(days, weekdays)]
    assert events == [((minutes, hours, day, months, week), zone) for day, week in either]


def test_units_refuse_a_folder_that_they_would_misread():
    """A space ends a path in a unit."""
    with pytest.raises(ConfigError) as error:
        systemd.render(DAILY, SCHEDULE, "/srv/a shop")
    assert str(error.value) == (
        "tool.django-runbook.schedule.folder is missing, and '/srv/a shop' cannot stand in a unit; "
        'allowed: an absolute path without spaces, as in folder = "/srv/app".'
    )


def test_units_find_another_program():
    """A name without a folder is looked for by systemd; a path inside the folder is told whole."""
    for command, start in (
        ("./inv", "/srv/shop/inv jobs.run"),
        (".venv/bin/inv", "/srv/shop/.venv/bin/inv jobs.run"),
        ("uv run inv", "uv run inv jobs.run"),
        ("/opt/inv", "/opt/inv jobs.run"),
    ):
        text = systemd.service(DAILY, Schedule(command=command), "/srv/shop")
        assert f"\nExecStart={start} expire_trials --slot=latest --max-seconds=900\n" in text


def run_line(tmp_path, program):
    """Run a line of a crontab as cron does, with this program for `inv`."""
    folder = tmp_path / "a shop 100%"
    folder.mkdir()
    (folder / "inv").write_text(f"#!/bin/sh\n{program}\n")
    (folder / "inv").chmod(0o755)
    table = crontab.render(DAILY, SCHEDULE, str(folder)).splitlines()
    line = table[table.index("CRON_TZ=UTC") + 1].split(maxsplit=5)[5]
    command = re.split(r"(?<!\\)%", line)[0].replace(r"\%", "%")  # crontab(5)
    return subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, cwd="/"
    )


def test_crontab_is_silent_when_all_is_well(tmp_path):
    """Nothing to mail; the folder may have a space and a percent sign."""
    done = run_line(tmp_path, 'echo "$@" > told; echo expired; echo more >&2')
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told = (tmp_path / "a shop 100%/told").read_text()
    assert told == "jobs.run expire_trials --slot=latest --max-seconds=900\n"


def test_crontab_mails_what_went_wrong(tmp_path):
    """Everything that the command said, percent signs and backslashes included."""
    done = run_line(tmp_path, r"printf 'at 100%%\\n\nstop\n' >&2; exit 4")
    assert (done.stdout, done.stderr) == ("at 100%\\n\nstop\n", "")


def test_crontab_mails_that_the_folder_is_gone():
    """A line cannot fail in silence."""
    line = crontab.render(DAILY, SCHEDULE, "/nowhere").splitlines()[7].split(maxsplit=5)[5]
    done = subprocess.run(
        ["/bin/sh", "-c", line.replace(r"\%", "%")], capture_output=True, text=True, check=False
    )
    assert "/nowhere" in done.stderr


@pytest.mark.parametrize("job", JOBS.values(), ids=list(JOBS))
def test_kubernetes_accepts_the_manifest(job):
    """Valid by the schema of the oldest release that has it all, and of the newest known."""
    for version in ("1.33", kubernetes_validate.latest_version()):
        kubernetes_validate.validate(manifest(job), version, strict=True)


def test_kubernetes_shuts_the_pod_in():
    """No root, nothing to write but /tmp, no rights, secrets by reference, no token."""
    job = manifest(DAILY)["spec"]["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert container["command"] == [
        "./inv", "jobs.run", "expire_trials", "--slot=latest", "--max-seconds=900", "--json",
    ]  # fmt: skip
    secrets = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]
        for variable in container["env"]
        if "valueFrom" in variable
    }
    assert secrets == {
        "DATABASE_URL": {"name": "shop", "key": "DATABASE_URL"},
        "SECRET_KEY": {"name": "shop", "key": "SECRET_KEY"},
        "EXPIRE_TRIALS_PING": {"name": "shop", "key": "EXPIRE_TRIALS_PING", "optional": True},
    }
    assert container["resources"].keys() == {"requests", "limits"}


@pytest.mark.parametrize(
    ("job", "grace", "longest"), [(DAILY, 21600, 900), (WEEKLY, 21600, 450), (MIXED, 21600, 900)]
)
def test_kubernetes_ends_nothing_that_ends_itself(job, grace, longest):
    """Each attempt has its whole time; a start is made up for as long as the slot is not missed."""
    spec = manifest(job)["spec"]
    inner = spec["jobTemplate"]["spec"]
    tries = 1 + inner.get("backoffLimit", inner.get("backoffLimitPerIndex"))
    assert spec["startingDeadlineSeconds"] == grace
    assert inner["activeDeadlineSeconds"] > tries * (longest + 10)
    assert inner["template"]["spec"]["terminationGracePeriodSeconds"] > 10


def test_kubernetes_pods_share_a_slot(tmp_path):
    """Four pods; the first claims the slot, the others only help: none sends another home."""
    inner = manifest(MIXED)["spec"]["jobTemplate"]["spec"]
    assert (inner["completionMode"], inner["completions"], inner["parallelism"]) == (
        "Indexed",
        4,
        4,
    )
    (container,) = inner["template"]["spec"]["containers"]
    (tmp_path / "inv").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "inv").chmod(0o755)
    told = [
        subprocess.run(
            container["command"],
            cwd=tmp_path,
            env={"JOB_COMPLETION_INDEX": str(index)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for index in range(4)
    ]
    assert told == [
        "jobs.run Send_Bills --slot=latest --max-seconds=900 --json\n",
        *["jobs.run Send_Bills --slot=latest --helps --max-seconds=900 --json\n"] * 3,
    ]


@pytest.mark.parametrize(
    ("job", "schedule", "message"),
    [
        (
            DAILY,
            Schedule(),
            (
                "tool.django-runbook.schedule.image is missing; allowed: the container image that "
                "holds the "
                'repository, as in image = "registry.example/app:1.4".'
            ),
        ),
        (
            Job(name="x" * 53, cron="17 4 * * *"),
            SCHEDULE,
            (
                f"tool.django-runbook.jobs.{'x' * 53} is too long a name for Kubernetes; allowed: "
                "52 characters."
            ),
        ),
    ],
)
def test_kubernetes_says_what_it_needs(job, schedule, message):
    """One line, with the key."""
    with pytest.raises(ConfigError) as error:
        kubernetes.render(job, schedule)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "render",
    [
        lambda job: crontab.render(job, SCHEDULE, "/srv"),
        lambda job: systemd.render(job, SCHEDULE, "/srv"),
        lambda job: kubernetes.render(job, SCHEDULE),
    ],
)
def test_job_without_a_schedule_is_refused(render):
    """It has no times to tell."""
    with pytest.raises(ConfigError) as error:
        render(Job(name="expire_trials"))
    assert str(error.value) == (
        "tool.django-runbook.jobs.expire_trials has no cron, and so no schedule; "
        'allowed: five fields, as in cron = "17 4 * * *".'
    )


def test_names_for_kubernetes():
    """Small letters and hyphens, whatever the command is called."""
    job = Job(name="Expire__TRIALS_", cron="17 4 * * *", heartbeat="NO")
    assert manifest(job)["metadata"]["name"] == "expire--trials"
    (container,) = manifest(job)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["env"][-1]["name"] == "NO"  # YAML 1.1 has a word for that


def test_goldens_are_in_one_folder():
    """Nothing of this machine stands in them."""
    assert not [name for name in TEXTS if str(Path.cwd()) in (FOLDER / name).read_text("utf-8")]
