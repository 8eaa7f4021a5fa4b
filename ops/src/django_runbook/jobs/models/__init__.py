"""The ledger: every run of a job, the rows that it changed, and who may run now.

Times come from the database's clock, which all machines share; cutoffs come from the caller.
"""

from django_runbook.jobs.models.rows import LARGEST, Batch, FailedRow
from django_runbook.jobs.models.runs import Job, Run, Status
from django_runbook.jobs.models.times import Lease, Pause, Slot

__all__ = ["LARGEST", "Batch", "FailedRow", "Job", "Lease", "Pause", "Run", "Slot", "Status"]
