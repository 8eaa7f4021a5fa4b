"""What every write of the ledger asks of the database: its clock, its errors, its patience."""
