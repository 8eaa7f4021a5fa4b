"""The graph of the migrations: what it holds, what is new in git, what is wrong with it."""
