"""Invoke's command line, as the kit's tasks need it."""
