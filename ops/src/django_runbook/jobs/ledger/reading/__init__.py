"""What the ledger says, of runs and of rows."""
