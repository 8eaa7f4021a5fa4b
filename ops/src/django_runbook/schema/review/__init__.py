"""Pending migrations with their true SQL, their risks, and what a rehearsal showed."""
