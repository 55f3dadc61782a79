"""The store's tables in Spark: the same Parquet files, and what is not in one yet."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.backends.session import spark_session
from tracer_hooks.errors import TracerError
from tracer_hooks.store.schema import TABLES

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from tracer_hooks.store import Store
    from tracer_hooks.store.scanning import Located

_serial = count(1)


def _literal(path: str) -> str:
    """The path for Spark, which takes `{`, `[`, `*` and `?` for patterns. (Its option
    `__globPaths__` reads several such files twice each.)"""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)


class SparkTables:
    """The tables of one run, or of all runs, as Ibis tables of a Spark session."""

    def __init__(self, store: Store, run_id: str | None, engine: str) -> None:
        """Starts Spark. Raises TracerError if it can't be started."""
        self._store = store
        self._run_id = run_id
        self._session: SparkSession = spark_session(engine)

    def all(self) -> dict[str, ir.Table]:
        """All tables by name, with `run_id` first; Spark reads them when they are needed."""
        from tracer_hooks.backends.ibis_spark import connect

        connection = connect(self._session)
        number = next(_serial)
        tables = {}
        for name in TABLES:
            view = f"tracer_hooks_{number}_{name}"
            located = self._store.locate(name, self._run_id)
            if not all(isinstance(path, Path) for path, _ in located.files):
                raise TracerError(
                    f"{self._store.place}: Spark reads a store in a folder only: copy it to one "
                    "that all its executors see, or use --engine duckdb"
                )
            self._frame(located).createOrReplaceTempView(view)
            tables[name] = connection.table(view)
        return tables

    def _frame(self, located: Located) -> DataFrame:
        """Files that Spark's executors read, and rows that this process sends to them."""
        frames = [
            self._of_run([str(path) for path, of in located.files if of == run_id],
                         run_id, located.rows.schema)
            for run_id in dict.fromkeys(of for _, of in located.files)
        ]  # fmt: skip
        if located.rows.num_rows or not frames:
            frames.append(self._session.createDataFrame(located.rows))
        whole = frames[0]
        for frame in frames[1:]:
            whole = whole.unionByName(frame)
        return whole

    def _of_run(self, paths: list[str], run_id: str, schema: pa.Schema) -> DataFrame:
        from pyspark.sql import functions
        from pyspark.sql.pandas.types import from_arrow_schema

        columns = from_arrow_schema(schema.remove(0), prefer_timestamp_ntz=False)
        read = self._session.read.schema(columns).parquet(*map(_literal, paths))
        return read.select(functions.lit(run_id).alias("run_id"), "*")
