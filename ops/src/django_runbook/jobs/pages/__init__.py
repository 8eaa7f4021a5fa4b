"""What people look at in Django's admin: the jobs, a job, a run, and what they may do there."""
