"""A job that takes a while."""
