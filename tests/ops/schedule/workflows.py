"""Workflows as GitHub reads them, and their steps."""

import yaml

from django_runbook.schedule import github
from tests.ops.schedule.goldens import JOBS, SCHEDULE


def workflow(job, schedule=SCHEDULE):
    """Return a workflow as GitHub reads it: every scalar a string, `on` a word like others."""
    return yaml.load(github.render(job, schedule), Loader=yaml.BaseLoader)


def step(parsed, job, name):
    """Return a step by its name."""
    (found,) = [step for step in parsed["jobs"][job]["steps"] if step.get("name") == name]
    return found


STATUS = yaml.load(github.render_status(SCHEDULE), Loader=yaml.BaseLoader)
ALL = [*map(workflow, JOBS.values()), STATUS]
