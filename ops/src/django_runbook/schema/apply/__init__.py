"""Applies migrations: one migrator at a time, short locks, and the truth where it fails."""
