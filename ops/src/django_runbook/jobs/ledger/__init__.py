"""The runs of the jobs: who may run, which slot, until when; recorded, read and pruned."""
