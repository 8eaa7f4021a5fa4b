"""Which migrations of a range can become one file."""
