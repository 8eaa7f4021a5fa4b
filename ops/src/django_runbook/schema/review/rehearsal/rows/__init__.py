"""Makes up rows for the tables of a scratch database, so that a rehearsal meets some."""
