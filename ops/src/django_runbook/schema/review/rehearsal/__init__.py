"""A migration applied to made-up rows and rolled back: what it locks, rewrites and reads."""
