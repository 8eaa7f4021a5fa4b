"""What a task starts, where, and on which target."""
