"""What is about to happen, in the words that the guard says before the target."""

from django_runbook.jobs.batches.undo.undo_run import UndoPlan
from django_runbook.jobs.report.details import change_text


def run_action(job: str) -> str:
    """Say that a job is about to run; the guard says where."""
    return f"Run {job} in"


def undo_action(plan: UndoPlan) -> str:
    """Say what is about to be undone; the guard says where."""
    batches = "1 batch" if plan.batches == 1 else f"{plan.batches:,} batches"
    what = change_text(plan.change).replace(": ", ", ", 1)
    return f"Undo run {plan.run} of {plan.job}: {what}, {plan.rows:,} row(s) in {batches}, in"
