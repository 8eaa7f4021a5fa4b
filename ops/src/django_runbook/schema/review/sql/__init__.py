"""The SQL that a migration truly runs, and what squawk says of it."""
