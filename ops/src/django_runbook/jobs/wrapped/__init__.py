"""Any command as a job, in a process of its own."""
