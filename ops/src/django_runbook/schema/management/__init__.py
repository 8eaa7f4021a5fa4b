"""Management commands that the tasks call."""
