"""Writes squashed migrations."""
