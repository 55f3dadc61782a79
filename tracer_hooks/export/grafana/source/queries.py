"""Data sources, queries of them and variables."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${prometheus}")
POSTGRES = DataSourceRef(type_val="grafana-postgresql-datasource", uid="${postgres}")


class SqlQuery(Dataquery):
    """A query of Grafana's SQL data sources, which the library has no type for."""

    def __init__(self, sql: str, format_: str) -> None:
        self.sql, self.format, self.ref_id = sql, format_, "A"

    def to_json(self) -> dict[str, object]:
        """As Grafana's editor writes it."""
        return {
            "datasource": POSTGRES, "editorMode": "code", "format": self.format,
            "rawQuery": True, "rawSql": self.sql, "refId": self.ref_id,
        }  # fmt: skip


class _Sql(Builder[Dataquery]):
    def __init__(self, query: SqlQuery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


Query = Builder[Dataquery]


def table_sql(sql: str) -> Query:
    """Rows as they are."""
    return _Sql(SqlQuery(_lines(sql), "table"))


def series_sql(sql: str) -> Query:
    """`time`, then values, or `metric` and a value: a series for each metric."""
    return _Sql(SqlQuery(_lines(sql), "time_series"))


def prom(expr: str, legend: str = "", ref: str = "A") -> Query:
    """A PromQL expression over the dashboard's time range."""
    query = PrometheusQuery().expr(_line(expr)).ref_id(ref).datasource(PROMETHEUS).range()
    return _as_query(query.legend_format(legend or "__auto"))


def prom_now(expr: str, legend: str = "", ref: str = "A") -> Query:
    """A PromQL expression at the end of the time range, for stats."""
    query = PrometheusQuery().expr(_line(expr)).ref_id(ref).datasource(PROMETHEUS).instant()
    return _as_query(query.legend_format(legend or "__auto"))


def prom_table(expr: str) -> Query:
    """A PromQL expression at the end of the time range, as rows."""
    query = PrometheusQuery().expr(_line(expr)).ref_id("A").datasource(PROMETHEUS).instant()
    return _as_query(query.format(PromQueryFormat.TABLE))


def prometheus_source() -> DatasourceVariable:
    """Which Prometheus is asked."""
    return DatasourceVariable("prometheus").label("Prometheus").type("prometheus")


def postgres_source() -> DatasourceVariable:
    """Which PostgreSQL is asked."""
    return DatasourceVariable("postgres").label("PostgreSQL").type("grafana-postgresql-datasource")


def prom_variable(name: str, label: str, query: str) -> QueryVariable:
    """Values of a label, any number of them, all to begin with."""
    return _all_of(QueryVariable(name).label(label).datasource(PROMETHEUS).query(query))


def sql_variable(name: str, label: str, sql: str) -> QueryVariable:
    """The first column of an answer, any number of values, all to begin with."""
    return _all_of(QueryVariable(name).label(label).datasource(POSTGRES).query(_lines(sql)))


def sql_choice(name: str, label: str, sql: str) -> QueryVariable:
    """One of an answer's values, the first to begin with."""
    variable = QueryVariable(name).label(label).datasource(POSTGRES).query(_lines(sql))
    return variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.DISABLED)


def _all_of(variable: QueryVariable) -> QueryVariable:
    everything = VariableOption(text="All", value="$__all", selected=True)
    return (
        variable.multi(True).include_all(True).current(everything)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    )  # fmt: skip


def _as_query(query: Any) -> Query:
    # The library's builders are invariant in what they build.
    return query


def _line(text: str) -> str:
    return " ".join(text.split())


def _lines(text: str) -> str:
    """Without the indentation of the code that it stands in."""
    lines = text.strip("\n").splitlines()
    least = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[least:].rstrip() for line in lines).strip()
