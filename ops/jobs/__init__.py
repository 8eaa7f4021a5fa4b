"""A Django app that makes any management command a job: a ledger of its runs, guarded, undoable."""
