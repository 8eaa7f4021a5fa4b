"""Squashes migrations, and proves that nothing is lost."""
