"""Which database this is, its shell, and its backups."""
