"""How jobs and runs are told: in words, lines and tables, to people and programs."""
