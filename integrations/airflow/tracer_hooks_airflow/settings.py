"""The section `[tracer_hooks]` of airflow.cfg, or AIRFLOW__TRACER_HOOKS__*."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer_hooks.adapter import STORE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTION = "tracer_hooks"


@dataclass(frozen=True)
class Settings:
    """How tasks are observed. `dags` are patterns of DAG ids for the listener: none, no listener.

    `interval_s` and `capture` are those of `tracer-hooks run`; None leaves the choice to it.
    """

    store: Path
    dags: tuple[str, ...] = ()
    capture: str | None = None
    interval_s: float | None = None
    argv: bool = True
    ingest: bool = True

    def observes(self, dag_id: str) -> bool:
        """Whether the listener observes the tasks of this DAG. A pattern after `!` excludes."""
        wanted = [pattern for pattern in self.dags if not pattern.startswith("!")]
        unwanted = [pattern[1:] for pattern in self.dags if pattern.startswith("!")]
        return _any(dag_id, wanted) and not _any(dag_id, unwanted)


def settings() -> Settings:
    """What Airflow's configuration says now. A value that makes no sense raises ValueError."""
    conf = _conf()

    def text(name: str) -> str:
        return str(conf.get(SECTION, name, fallback="") or "").strip()

    interval = text("interval")
    capture = text("capture")
    if capture not in ("", "auto", "perf", "taskstats", "poll"):
        raise ValueError(f"[{SECTION}] capture = {capture}: say auto, perf, taskstats or poll")
    return Settings(
        store=_store(text("store")),
        dags=tuple(text("dags").replace(",", " ").split()),
        capture=capture or None,
        interval_s=_positive("interval", interval) if interval else None,
        argv=_boolean("argv", text("argv")),
        ingest=_boolean("ingest", text("ingest")),
    )


def _conf() -> Any:
    try:
        from airflow.sdk.configuration import conf  # a worker of Airflow 3 may have no more
    except ImportError:
        from airflow.configuration import conf
    return conf


def _store(named: str) -> Path:
    """The store: the one configured, else TRACER_HOOKS_STORE, else `.tracer` in AIRFLOW_HOME.

    Never one in the working directory, which differs between Airflow's processes.
    """
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    chosen = named or os.environ.get(STORE_VARIABLE)
    return (home / Path(chosen).expanduser() if chosen else home / ".tracer").absolute()


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _positive(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise ValueError(f"[{SECTION}] {name} = {value}: say a number of seconds, as 0.1")
    return number


def _boolean(name: str, value: str) -> bool:
    if value.lower() in ("", "true", "t", "1", "yes", "on"):
        return True
    if value.lower() in ("false", "f", "0", "no", "off"):
        return False
    raise ValueError(f"[{SECTION}] {name} = {value}: say True or False")
