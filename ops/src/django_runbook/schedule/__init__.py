"""The schedule of the jobs: pure code, without Django and without Invoke."""
