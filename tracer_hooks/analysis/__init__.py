"""From tables to tables: what a run used, where its time went, what stands out, how we know.

Pure functions over the store's tables, written as Ibis expressions (DuckDB in memory unless the
tables live in another backend) and returned as pandas frames. No file is opened, nothing is
printed, no engine is known. This package imports nothing at import time: Ibis and DuckDB cost
half a second, and only a command that analyses pays it.
"""
