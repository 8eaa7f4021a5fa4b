"""Rows moved batch by batch, within limits, and put back."""
