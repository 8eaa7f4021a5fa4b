"""The parts of the commands that other apps use too."""
