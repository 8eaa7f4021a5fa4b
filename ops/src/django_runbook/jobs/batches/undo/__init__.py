"""What an undo believes, puts back, and leaves alone."""
