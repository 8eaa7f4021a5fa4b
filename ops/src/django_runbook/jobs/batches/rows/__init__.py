"""The rows of one batch: found, locked, changed, and what they were."""
