"""Renders the workflow of a job for GitHub Actions.

GitHub starts it late or not at all (so there is a safety net), takes only five-minute steps, and
cancels with SIGINT, SIGTERM 7.5 s later and SIGKILL 2.5 s after that, sent to the shell alone
(docs.github.com, "Workflow cancellation reference"): so every step that works does ``exec``.
"""

from collections.abc import Iterable
from itertools import pairwise

from django_runbook.config import ConfigError, Job, Schedule
from django_runbook.schedule import cron, forms, rendered
from django_runbook.schedule.github_templates import ALONE, BESIDE, INPUTS, JOB, STATUS

#: actions/checkout of 17 July 2026; a newer one that Dependabot writes into a file stays there.
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
STATUS_NAME = "jobs-status"
SHORTEST = 5  # minutes between two starts; GitHub drops what comes sooner
SET_UP_MINUTES = 10  # checking out, making .venv, the preflight, the summary
LONGEST = 360  # minutes of a job on a runner of GitHub's


def file_name(name: str) -> str:
    """Return where a workflow lies in the repository."""
    return f".github/workflows/{name}.yml"


def render(job: Job, schedule: Schedule) -> str:
    """Return the workflow of a job that has a schedule.

    Raises ``ConfigError`` where GitHub cannot run it so, or where no repository is named.
    """
    text = forms.Text(JOB).substitute(
        _common(schedule),
        job=job.name,
        triggers="\n".join(_triggers(job)),
        inputs=_inputs(job),
        concurrency=_concurrency(job),
        timeout=_minutes(job, schedule),
        limit=f"{job.timeout_minutes:g} min",
        after=rendered.marked("after", 6),
        given="".join(
            f"          {_variable(name)}: ${{{{ inputs.{name} }}}}\n" for name in _given(job)
        ),
        all_secrets=_secrets([*schedule.secrets, *filter(None, [job.heartbeat])]),
        script="\n".join(f"          {line}" for line in script(job, schedule)),
        condition=_condition(job),
    )
    return rendered.seal(text)


def render_status(schedule: Schedule) -> str:
    """Return the workflow that looks at every job after each push.

    Raises ``ConfigError`` where no repository is named.
    """
    text = forms.Text(STATUS).substitute(
        _common(schedule), name=STATUS_NAME, branch=schedule.branch
    )
    return rendered.seal(text)


def script(job: Job, schedule: Schedule) -> list[str]:
    """Return the script that becomes the command; what a person typed is quoted, a word each.

    A run by hand claims the newest slot as well; but not one for another time, nor one that a
    person lets through: it is not to find the slot done, or being done, and go home. ``run_job``
    claims none for a dry run.
    """
    given = _given(job)
    lines, slot, told = [], "--slot=latest", []
    by_hand = "".join(f"${_variable(name)}" for name in given if name != "dry-run")
    if "dry-run" in given:
        lines.append('if [ "$DRY_RUN" != true ]; then DRY_RUN=; fi')
        told.append("${DRY_RUN:+--dry-run}")
    if by_hand:
        lines.append(f'if [ -z "{by_hand}" ]; then slot=latest; else slot=; fi')
        slot = '${slot:+"--slot=$slot"}'
    told += [
        f'${{{_variable(name)}:+"--{name}=${_variable(name)}"}}'
        for name in given
        if name != "dry-run"
    ]
    command = " ".join(["exec", *forms.command(job, schedule, slot), "--json"])
    parts = [f"{command} --", *told] if told else [command]
    return [*lines, " \\\n            ".join([*parts, '> "$RUNNER_TEMP/run.json"'])]


def _common(schedule: Schedule) -> dict[str, str]:
    """Return what both workflows say."""
    if schedule.repository is None:
        raise ConfigError(
            "tool.django-runbook.schedule.repository is missing; allowed: the only repository "
            "where "
            'schedules run, as in repository = "owner/name".'
        )
    return {
        "none": rendered.NONE,
        "repository": schedule.repository,
        "ref": f"refs/heads/{schedule.branch}",
        "runner": schedule.runner,
        "environment": schedule.environment,
        "checkout": CHECKOUT,
        "command": schedule.command,
        "env": rendered.marked("env", 6),
        "before": rendered.marked("before", 6),
        "secrets": _secrets(schedule.secrets),
    }


def _minutes(job: Job, schedule: Schedule) -> int:
    """Return when GitHub ends it: later than the command ends itself."""
    minutes = forms.seconds(job) // 60 + 1 + SET_UP_MINUTES
    if minutes > LONGEST and schedule.runner.startswith("ubuntu-"):
        raise ConfigError(
            f"tool.django-runbook.jobs.{job.name}.timeout_minutes = {job.timeout_minutes:g} is "
            f"too long for GitHub, which ends a job after {LONGEST} minutes; "
            f"allowed: {LONGEST - SET_UP_MINUTES - 1} at most, or a runner of your own."
        )
    return minutes


def _triggers(job: Job) -> list[str]:
    """Return the declared cron line, and the safety net."""
    forms.require(job)
    declared = cron.read(job)
    pauses = [later - sooner for sooner, later in pairwise(sorted(declared.minutes))]
    if min(pauses, default=SHORTEST) < SHORTEST:
        raise ConfigError(
            f"tool.django-runbook.jobs.{job.name}.cron = {job.cron!r} is more often than GitHub "
            f"starts anything; allowed: {SHORTEST} minutes apart at least."
        )
    return cron.lines(job, lambda line: _trigger(job, line), comment="    # ")


def _trigger(job: Job, line: str) -> list[str]:
    zone = [] if job.timezone == "UTC" else [f'      timezone: "{job.timezone}"']
    return [f'    - cron: "{line}"', *zone]


def _inputs(job: Job) -> str:
    """Return what a person may give who starts the workflow by hand."""
    given = "".join(INPUTS[name] for name in _given(job))
    return f"\n    inputs:{given}" if given else ""


def _concurrency(job: Job) -> str:
    """Return the key of two runs that must not be under way at once."""
    text = ALONE if job.alone else BESIDE
    return forms.Text(text).substitute(job=job.name)


def _given(job: Job) -> list[str]:
    """Return the inputs of the job, always in the same order."""
    return [name for name in INPUTS if name in job.inputs]


def _variable(name: str) -> str:
    """Return the variable that carries an input past the shell."""
    return name.upper().replace("-", "_")


def _secrets(names: Iterable[str]) -> str:
    return "\n".join(f"          {name}: ${{{{ secrets.{name} }}}}" for name in names)


def _condition(job: Job) -> str:
    """Return when the issue is looked after: not where nothing ran, nor after a dry run."""
    ran = "always() && needs.run.result != 'skipped'"
    return f"{ran} && !inputs.dry-run" if "dry-run" in job.inputs else ran
