"""What runs the analyses: DuckDB in this process, or Spark where one machine is too small.

An analysis is an Ibis expression of the store's tables, and knows nothing of this. A backend is
chosen by the text that `--engine` takes; `tables` then gives the tables as that backend has them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tracer_hooks.errors import UsageError

if TYPE_CHECKING:
    from tracer_hooks.store import Store

DEFAULT = "duckdb"
_LOCAL_SPARK = re.compile(r"local(\[(\d+|\*)\])?")
_SPARK = re.compile(r"spark://[^\s/]+:\d+")
_KNOWN = "duckdb, spark, local[N], spark://HOST:PORT"


def check(engine: str) -> str:
    """`engine` as it was given, if there is such a backend.

    `duckdb`; `spark` (the master that Spark's own settings name, else this machine); `local`,
    `local[N]` or `local[*]`: Spark on this machine with so many cores; `spark://HOST:PORT`: the
    master of a Spark cluster. Raises UsageError for anything else.
    """
    if engine in (DEFAULT, "spark") or _LOCAL_SPARK.fullmatch(engine) or _SPARK.fullmatch(engine):
        return engine
    raise UsageError(f"there is no engine {engine!r}: it can be {_KNOWN}")


def tables(store: Store, run_id: str | None, engine: str = DEFAULT) -> dict[str, Any]:
    """The tables of one run (its whole id), or of all runs, for the analyses.

    Raises UsageError if there is no such engine, TracerError if it can't be started.
    """
    from tracer_hooks.store.schema import TABLES

    if check(engine) == DEFAULT:
        return {name: store.stored(name, run_id) for name in TABLES}
    from tracer_hooks.backends.spark import SparkTables

    return SparkTables(store, run_id, engine).all()
