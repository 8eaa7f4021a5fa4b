"""Scratch databases: made for trying migrations out, and dropped afterwards."""
