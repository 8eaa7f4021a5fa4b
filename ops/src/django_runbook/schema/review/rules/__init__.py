"""Rules that see the old and the new field, the transaction, and the code of a migration."""
