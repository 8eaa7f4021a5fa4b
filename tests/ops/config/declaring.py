"""A pyproject.toml that declares one job."""

JOB = "tool.django-runbook.jobs.expire_trials"


def with_job(lines):
    """Return a pyproject.toml that declares one job."""
    return f'[tool.django-runbook]\nmanage = "manage.py"\n[{JOB}]\n{lines}\n'
