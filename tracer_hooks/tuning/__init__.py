"""Requests that would have been enough, in the words of each engine: one file per format."""
