"""A store as a laboratory would have it after a year, made from a seed: see `plan`.

Everything is numpy and pyarrow over whole columns; the parts are written by the store's own code,
so layout, footers and types are what ingest writes.
"""
