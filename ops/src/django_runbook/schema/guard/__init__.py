"""Lets nobody destroy a protected database by mistake, from wherever a command was started."""
