"""Renders a CronJob for Kubernetes 1.33 and later.

It needs no safety net: a start that was lost is made up for within the grace, and a run that failed
or was stopped is repeated. What was refused is not: the same again would come to the same.

``concurrencyPolicy`` is Allow for every ``overlap``: Forbid would leave a start out without a word,
or make up for it later, where the ledger knows which of the two is meant.

With ``workers = N`` there are N pods, and only the first claims the slot: a slot is one run's, so
the others would go home at once. They help with it, unless it is done or paused, and share the rows
through the ledger, in which each row changes once. Any of them that comes to the end has verified
that nothing is due.
"""

import json

from django_runbook.config import ConfigError, Job, Schedule
from django_runbook.schedule import cron, forms

ATTEMPTS = 3
START_SECONDS = 120  # until the command begins: a node, the image
BACKOFF_SECONDS = 60  # Kubernetes waits for 10 s, then for 20 s
LONGEST_NAME = 52  # of a CronJob, whose Jobs append 11 characters
SHORTEST_DEADLINE = 10  # the controller looks every 10 s
TEXT = """\
# The job @{job}. Made by 'inv schedule.export kubernetes' from pyproject.toml.
# Its secret comes from a file with a line NAME=value for each name:
#   kubectl create secret generic @{app} --from-env-file=@{app}.env@{note}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: "@{name}"
  labels: {"app.kubernetes.io/name": "@{app}", "app.kubernetes.io/component": "@{name}"}
spec:
  schedule: "@{cron}"
  timeZone: "@{zone}"
  concurrencyPolicy: Allow # @{overlap}
  startingDeadlineSeconds: @{grace}
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
@{workers}
      activeDeadlineSeconds: @{deadline} # the command ends by itself after @{limit}
      podFailurePolicy:
        rules:
          - action: FailJob # wrong usage, or refused by a guard
            onExitCodes: {containerName: job, operator: In, values: [2, 3]}
          - action: Ignore # the node went away
            onPodConditions: [{type: DisruptionTarget, status: "True"}]
      template:
        metadata:
          labels: {"app.kubernetes.io/name": "@{app}", "app.kubernetes.io/component": "@{name}"}
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          enableServiceLinks: false
          terminationGracePeriodSeconds: @{end}
          securityContext:
            runAsNonRoot: true
            runAsUser: 10001
            runAsGroup: 10001
            seccompProfile: {type: RuntimeDefault}
          containers:
            - name: job
              image: "@{image}"
              command:
@{command}
              env:
                - {name: ENVIRONMENT, value: "@{environment}"}
                - {name: HOME, value: /tmp}
                - {name: PYTHONDONTWRITEBYTECODE, value: "1"}
@{secrets}
              resources:
                requests: {cpu: 100m, memory: 128Mi}
                limits: {memory: 512Mi}
              securityContext:
                allowPrivilegeEscalation: false
                capabilities: {drop: [ALL]}
                readOnlyRootFilesystem: true
              volumeMounts:
                - {name: tmp, mountPath: /tmp}
          volumes:
            - name: tmp
              emptyDir: {sizeLimit: 64Mi}
"""
GAP = """
# Kubernetes starts nothing in the hour that daylight saving skips, and twice in the one it repeats:
# the ledger does the slot once, and 'inv jobs.status' tells of one that was missed."""


def render(job: Job, schedule: Schedule) -> str:
    """Return the CronJob of a job.

    Raises ``ConfigError`` where the job has no schedule or one that cannot be told, where its name
    is too long, and where no image is named.
    """
    forms.require(job)
    if len(job.label) > LONGEST_NAME:
        raise ConfigError(
            f"tool.django-runbook.jobs.{job.name} is too long a name for Kubernetes; "
            f"allowed: {LONGEST_NAME} characters."
        )
    if schedule.image is None:
        raise ConfigError(
            "tool.django-runbook.schedule.image is missing; allowed: the container image that "
            "holds the "
            'repository, as in image = "registry.example/app:1.4".'
        )
    attempt = START_SECONDS + forms.seconds(job) + forms.END_SECONDS
    return forms.Text(TEXT).substitute(
        job=job.name,
        name=job.label,
        app=schedule.app,
        overlap=forms.OVERLAP[job.overlap],
        note="" if job.timezone == "UTC" else GAP,
        cron=cron.read(job),
        zone=job.timezone,
        grace=max(SHORTEST_DEADLINE, round(job.grace_hours * 3600)),
        workers="\n".join(f"      {line}" for line in _workers(job)),
        deadline=ATTEMPTS * attempt + BACKOFF_SECONDS,
        limit=f"{job.timeout_minutes:g} min",
        end=forms.END_SECONDS,
        image=schedule.image,
        command="\n".join(f"                {line}" for line in _command(job, schedule)),
        environment=schedule.environment,
        secrets="\n".join(_secrets(job, schedule)),
    )


def _workers(job: Job) -> list[str]:
    """Return how many pods there are, and how often each is tried again."""
    if job.workers == 1:
        return [f"backoffLimit: {ATTEMPTS - 1}"]
    return [
        "completionMode: Indexed",
        f"completions: {job.workers}",
        f"parallelism: {job.workers}",
        f"backoffLimitPerIndex: {ATTEMPTS - 1}",
    ]


def _command(job: Job, schedule: Schedule) -> list[str]:
    """Return the command; of several pods, the first claims the slot and the others help."""
    if job.workers == 1:
        line = [*forms.command(job, schedule, "--slot=latest"), "--json"]
        return [f"- {json.dumps(word)}" for word in line]
    line = [*forms.command(job, schedule, "--slot=latest", '"$@"'), "--json"]
    return [
        "- /bin/sh",
        "- -c",
        "- |",
        "  # The first pod claims the slot; the others share its rows, through the ledger.",
        '  if [ "$JOB_COMPLETION_INDEX" = 0 ]; then set --; else set -- --helps; fi',
        f"  exec {' '.join(line)}",
    ]


def _secrets(job: Job, schedule: Schedule) -> list[str]:
    """Return the variables that come from the secret; a job may do without its heartbeat."""
    needed = [(name, "") for name in schedule.secrets]
    if job.heartbeat:
        needed.append((job.heartbeat, ", optional: true"))
    lines: list[str] = []
    for name, more in needed:
        lines += [
            f'                - name: "{name}"',
            "                  valueFrom:",
            f'                    secretKeyRef: {{name: "{schedule.app}", key: "{name}"{more}}}',
        ]
    return lines
