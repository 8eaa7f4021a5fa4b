"""A Django app: what the database is, and where its migrations stand."""
