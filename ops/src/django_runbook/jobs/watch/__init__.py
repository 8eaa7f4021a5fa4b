"""What is said of the jobs: their state, why a row changed, whether a job may run."""
