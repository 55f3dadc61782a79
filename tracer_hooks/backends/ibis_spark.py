"""Ibis on Spark, with what its own Spark backend leaves out and the analyses need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import sqlglot.expressions as sge
from ibis.backends.pyspark import Backend
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.formats.pyarrow import PyArrowData

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession


class Compiler(PySparkCompiler):  # type: ignore[misc]
    """Two expressions more than Ibis knows how to say in Spark's SQL."""

    def visit_ExtractMicrosecond(self, op: Any, *, arg: Any) -> Any:  # noqa: N802 - Ibis's name
        """The microseconds within a second."""
        return self.cast(self.f.anon.pmod(self.f.unix_micros(arg), 1_000_000), op.dtype)

    def visit_GroupConcat(  # noqa: N802 - Ibis's name
        self, op: Any, *, arg: Any, sep: Any, where: Any, order_by: Any
    ) -> Any:
        """Texts joined in an order, which Spark 4 can."""
        if not order_by:
            return super().visit_GroupConcat(op, arg=arg, sep=sep, where=where, order_by=order_by)
        if where is not None:
            arg = self.if_(where, arg, sge.Null())
        return sge.WithinGroup(
            this=self.f.anon.listagg(arg, sep), expression=sge.Order(expressions=order_by)
        )


class ArrowBackend(Backend):  # type: ignore[misc]
    """A Spark session that takes tables and gives answers as Arrow, with times in UTC.

    Ibis's own does both by way of pandas, where a whole number beside a null becomes a float, a
    null among floats becomes NaN, and a time loses its zone.
    """

    compiler = Compiler()

    def to_pyarrow(self, expr: Any, /, **options: Any) -> Any:
        """The answer to an expression."""
        table = expr.as_table()
        self._run_pre_execute_hooks(table)
        answer: pa.Table = self._session.sql(self.compile(table, **options)).toArrow()
        schema = {
            name: dt.Timestamp(timezone="UTC", scale=6) if kind.is_timestamp() else kind
            for name, kind in table.schema().items()
        }
        answer = PyArrowData.convert_table(answer, ibis.schema(schema))
        # Ibis's own last step would give the expression's types once more, and times no zone.
        if isinstance(expr, ir.Table):
            return answer
        return answer[0] if isinstance(expr, ir.Column) else answer[0][0]

    def _create_cached_table(self, name: str, expr: Any) -> Any:
        self._run_pre_execute_hooks(expr)  # registers what it has in memory; Ibis's own does not
        return super()._create_cached_table(name, expr)

    def _drop_cached_table(self, name: str) -> None:
        # else all went with the session
        if self._session.sparkContext._jsc is not None:  # noqa: SLF001 - there is no public way
            super()._drop_cached_table(name)

    def _register_in_memory_table(self, op: Any) -> None:
        rows = op.data.to_pyarrow(op.schema)
        self._session.createDataFrame(rows).createOrReplaceTempView(op.name)


def connect(session: SparkSession) -> Any:
    """The session as an Ibis backend."""
    Backend.register_options()
    backend = ArrowBackend()
    backend.do_connect(session)
    return backend
