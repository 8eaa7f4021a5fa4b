"""Proves that squashed migrations give what the old ones gave."""
