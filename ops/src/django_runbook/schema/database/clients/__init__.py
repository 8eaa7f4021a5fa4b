"""The database's own client programs: where they are, and what they are told."""
