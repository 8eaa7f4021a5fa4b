"""How each engine writes a dump and reads one back: one module an engine, the same two functions.

``dump`` fills a file; ``load`` replaces everything in the database by what a file holds, or changes
nothing. Both raise ``BackupFailedError`` or ``NoClientError``.
"""
