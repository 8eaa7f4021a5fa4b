"""Tells those outside how a run came out, and how the jobs are."""
