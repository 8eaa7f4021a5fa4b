"""The source text of migrations: read, copied and changed."""
