"""Tells those outside how a run came out."""
