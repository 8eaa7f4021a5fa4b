"""The runs and their slots: opened, recorded, closed, and read."""
