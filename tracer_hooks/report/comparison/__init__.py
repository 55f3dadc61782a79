"""A comparison of runs: one file per output."""
