"""Text from outside, on its way out or into the ledger: cleaned, and without secrets."""
