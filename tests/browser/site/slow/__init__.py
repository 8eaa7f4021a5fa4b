"""A job that takes its time, so that a person can look at it."""
