"""The custom user and its profile."""
