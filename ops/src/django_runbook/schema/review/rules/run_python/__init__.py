"""Rules about the code of RunPython, which is read and not run."""
