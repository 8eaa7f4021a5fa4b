"""The transition to a squash: where it is recorded, and when the old files may go."""
