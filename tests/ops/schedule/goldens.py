"""The rendered texts beside the tests; `python -m tests.ops.schedule.goldens` writes them."""

from collections.abc import Callable
from pathlib import Path

from django_runbook.config import Job, Schedule
from django_runbook.schedule import crontab, github, kubernetes, systemd

FOLDER = Path(__file__).parent / "golden"
SCHEDULE = Schedule(
    repository="example/shop",
    branch="trunk",
    environment="live",
    secrets=("DATABASE_URL", "SECRET_KEY"),
    runner="ubuntu-24.04",
    image="registry.example/shop:1.4",
    folder="/srv/shop",
    user="shop",
    mail="ops@example.org",
)
DAILY = Job(name="expire_trials", cron="17 4 * * *", heartbeat="EXPIRE_TRIALS_PING")
#: Saturday's safety net falls on the next day; the zone has daylight saving; nobody may say how.
WEEKLY = Job(
    name="clearsessions",
    cron="43 3,22 * * SUN",
    timezone="Europe/Berlin",
    timeout_minutes=7.5,
    inputs=(),
)
#: Day or weekday; no safety net over the end of a month; several pods.
MIXED = Job(
    name="Send_Bills",
    cron="7 23 1,28 * 1-5",
    timezone="America/St_Johns",
    inputs=("as-of", "dry-run"),
    workers=4,
)
JOBS = {job.name: job for job in (DAILY, WEEKLY, MIXED)}
TEXTS: dict[str, Callable[[], str]] = {
    **{f"{name}.yml": lambda job=job: github.render(job, SCHEDULE) for name, job in JOBS.items()},
    "jobs-status.yml": lambda: github.render_status(SCHEDULE),
    **{
        f"{name}.crontab": lambda job=job: crontab.render(job, SCHEDULE, "/srv/a shop 100%")
        for name, job in JOBS.items()
    },
    **{
        f"{name}.service": lambda job=job: systemd.service(job, SCHEDULE, "/srv/shop")
        for name, job in JOBS.items()
    },
    **{f"{name}.timer": lambda job=job: systemd.timer(job) for name, job in JOBS.items()},
    **{
        f"{name}.yaml": lambda job=job: kubernetes.render(job, SCHEDULE)
        for name, job in JOBS.items()
    },
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in TEXTS.items():
        (FOLDER / name).write_text(text(), "utf-8")
