"""What rules, squawk and the rehearsal found, weighed and accepted."""
