"""Management commands of the users."""
