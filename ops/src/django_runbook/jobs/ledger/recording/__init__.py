"""The books of one run, from its opening to its end, and who is told of it."""
