"""The supervisor: launches one command, watches its process tree, writes the spool.

Standard library only, Python 3.9 or newer, no import that costs milliseconds (json, re, typing,
subprocess, ctypes, argparse all do): a task pays for what is imported here. It knows no engine
and no Parquet, and whatever fails in it, the command runs on (DESIGN 1).
"""
