"""Looks for what makes a schedule of GitHub Actions fail silently."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml
from cronsim import CronSim, CronSimError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from django_runbook.config import Config
from django_runbook.schedule.cron import EPOCH, FIELDS

Entries = Mapping[str, tuple[Node, Node]]


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """One thing that should be mended; lines count from 1."""

    file: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.file}:{self.line}: {self.code} {self.message}"


def lint(workflows: Mapping[str, str], config: Config, pyproject: str) -> list[Finding]:
    """Return what is wrong with these workflows (text by file), and with the declared jobs.

    A job needs a workflow where ``[tool.django-runbook.schedule]`` names a repository; without one,
    the jobs run elsewhere. ``pyproject`` is the text of pyproject.toml.
    """
    found: list[Finding] = []
    scripts: list[str] = []
    for file, text in workflows.items():
        try:
            top = _entries(yaml.compose(text, Loader=yaml.SafeLoader))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            message = str(getattr(error, "problem", None) or error)
            found.append(Finding(file=file, line=line, code="not-yaml", message=message))
            continue
        triggers = _triggers(top)
        if "schedule" in triggers:
            found += _scheduled(file, top, triggers)
            scripts += _scripts(top)
    if config.schedule.repository is not None:
        found += _without_workflow(config, pyproject, "\n".join(scripts))
    return sorted(found)


def _scheduled(file: str, top: Entries, triggers: Entries) -> Iterator[Finding]:
    """Yield what is wrong with a workflow that runs by the clock."""

    def finding(node: Node, code: str, message: str) -> Finding:
        return Finding(file=file, line=node.start_mark.line + 1, code=code, message=message)

    key, schedule = triggers["schedule"]
    for line in _crons(schedule):
        minutes = _minutes(line.value)
        if minutes is None:
            yield finding(line, "bad-cron", f"'{line.value}' is no cron expression")
        elif 0 in minutes:
            message = f"'{line.value}' starts at minute 0, when GitHub is busiest; take an odd one"
            yield finding(line, "top-of-the-hour", message)
    if "workflow_dispatch" not in triggers:
        message = "nobody can start it by hand; add workflow_dispatch"
        yield finding(key, "no-dispatch", message)
    jobs = _entries(top["jobs"][1]) if "jobs" in top else {}
    parts = {name: (node, _entries(body)) for name, (node, body) in jobs.items()}
    for name, (node, job) in parts.items():
        if "timeout-minutes" not in job and "uses" not in job:
            message = f"the job '{name}' may hang for six hours; add timeout-minutes"
            yield finding(node, "no-timeout", message)
    if "concurrency" not in top and not all("concurrency" in job for _node, job in parts.values()):
        message = "two may run at once; add concurrency"
        yield finding(key, "no-concurrency", message)


def _without_workflow(config: Config, pyproject: str, scripts: str) -> Iterator[Finding]:
    """Yield the declared jobs that no scheduled workflow runs."""
    for job in config.jobs.values():
        if job.cron is None or re.search(rf"\bjobs\.run\s+{job.name}\b", scripts):
            continue
        before, header, _after = pyproject.partition(f"[tool.django-runbook.jobs.{job.name}]")
        yield Finding(
            file="pyproject.toml",
            line=before.count("\n") + 1 if header else 1,
            code="no-workflow",
            message=f"the job '{job.name}' has no workflow; run 'inv schedule.render'",
        )


def _triggers(top: Entries) -> Entries:
    """Return what starts a workflow; ``on`` may be a name, a list, or a table."""
    node = top["on"][1] if "on" in top else None
    words = node.value if isinstance(node, SequenceNode) else [node]
    names = {word.value: (word, word) for word in words if isinstance(word, ScalarNode)}
    return names or _entries(node)


def _crons(schedule: Node) -> list[ScalarNode]:
    items = schedule.value if isinstance(schedule, SequenceNode) else []
    found = [_entries(item)["cron"][1] for item in items if "cron" in _entries(item)]
    return [node for node in found if isinstance(node, ScalarNode)]


def _minutes(expression: str) -> set[int] | None:
    """Return the minutes at which an expression is due; None for one that cannot be read."""
    try:
        if len(expression.split()) == len(FIELDS):
            return CronSim(expression, EPOCH).minutes
    except (CronSimError, ValueError):
        pass
    return None


def _scripts(top: Entries) -> Iterator[str]:
    """Yield the script of each step."""
    jobs = _entries(top["jobs"][1]) if "jobs" in top else {}
    for _key, job in jobs.values():
        steps = _entries(job).get("steps", (job, job))[1]
        for step in steps.value if isinstance(steps, SequenceNode) else []:
            script = _entries(step).get("run", (step, step))[1]
            if isinstance(script, ScalarNode):
                yield script.value


def _entries(node: Node | None) -> Entries:
    """Return the entries of a table; nothing for anything else.

    Nodes, not values: they know their line, and ``on`` is not yet YAML 1.1's true.
    """
    pairs = node.value if isinstance(node, MappingNode) else []
    return {key.value: (key, value) for key, value in pairs if isinstance(key, ScalarNode)}
