"""What a database's schema is, as sorted lines that can be compared and hashed."""
