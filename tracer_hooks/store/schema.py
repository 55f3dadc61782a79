"""The store's tables: names, columns, types (DESIGN 6).

Times are UTC with microseconds, durations ``_s`` are seconds, sizes ``_bytes`` are bytes. What was
not measured is null. ``run_id`` is not a column of the files: it is the partition
(``run_id=<escaped>``), as Hive, DuckDB, Spark and pyarrow read it. ``spool`` names the attempt's
spool file and makes reading and ingest idempotent.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 1

_TIME = pa.timestamp("us", tz="UTC")
_TAGS = pa.map_(pa.string(), pa.string())


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


def _many(kind: pa.DataType, names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names.split(), kind)


TABLES: dict[str, pa.Schema] = {
    "runs": _schema(
        **_many(pa.string(), "pipeline engine engine_version"),
        **_many(_TIME, "started_at ended_at"),
        wall_s=pa.float64(),
        **_many(pa.string(), "status host user workdir command"),
        tags=_TAGS,
        total_tasks=pa.int64(),
        spool=pa.string(),
    ),
    "tasks": _schema(
        **_many(pa.string(), "pipeline engine step task_id task_name"),
        attempt=pa.int32(),
        sample=pa.string(),
        tags=_TAGS,
        **_many(pa.string(), "host user workdir command container_image container_id"),
        cpus_requested=pa.float64(),
        memory_requested_bytes=pa.int64(),
        time_requested_s=pa.float64(),
        disk_requested_bytes=pa.int64(),
        **_many(_TIME, "submitted_at started_at ended_at"),
        wall_s=pa.float64(),
        status=pa.string(),
        exit_code=pa.int32(),
        signal=pa.int32(),
        failure_cause=pa.string(),
        **_many(pa.float64(), "cpu_user_s cpu_system_s cpu_s cpu_unattributed_s"),
        **_many(pa.float64(), "wall_cpu_s wall_runnable_s wall_disk_s wall_network_s wall_idle_s"),
        **_many(pa.int64(), "memory_peak_bytes memory_mean_bytes"),
        memory_source=pa.string(),
        **_many(pa.int64(), "disk_read_bytes disk_write_bytes io_read_chars io_write_chars"),
        **_many(pa.int64(), "network_rx_bytes network_tx_bytes"),
        network_source=pa.string(),
        process_count=pa.int64(),
        process_count_source=pa.string(),
        **_many(pa.int64(), "short_process_count threads_peak major_faults"),
        **_many(pa.int64(), "voluntary_switches involuntary_switches"),
        **_many(pa.int64(), "input_bytes output_bytes"),
        capture=pa.string(),
        **_many(pa.int64(), "reading_count events_lost"),
        observer_cpu_s=pa.float64(),
        observer_memory_bytes=pa.int64(),
        spool=pa.string(),
    ),
    "processes": _schema(
        task_id=pa.string(),
        **_many(pa.int32(), "attempt process_id parent_id pid parent_pid"),
        **_many(pa.string(), "tool comm exe"),
        argv=pa.list_(pa.string()),
        argv_source=pa.string(),
        forked=pa.bool_(),
        **_many(_TIME, "started_at ended_at"),
        **_many(pa.int32(), "exit_code signal"),
        **_many(pa.float64(), "cpu_user_s cpu_system_s cpu_s"),
        cpu_source=pa.string(),
        **_many(pa.int64(), "memory_peak_bytes disk_read_bytes disk_write_bytes"),
        **_many(pa.int64(), "io_read_chars io_write_chars network_rx_bytes network_tx_bytes"),
        threads_peak=pa.int32(),
        source=pa.string(),
        spool=pa.string(),
    ),
    "tools": _schema(
        task_id=pa.string(),
        attempt=pa.int32(),
        tool=pa.string(),
        **_many(pa.int64(), "count short_count folded_count"),
        **_many(pa.float64(), "cpu_s wall_s"),
        **_many(pa.int64(), "memory_peak_bytes disk_read_bytes disk_write_bytes"),
        source=pa.string(),
        spool=pa.string(),
    ),
    "readings": _schema(
        task_id=pa.string(),
        **_many(pa.int32(), "attempt process_id"),  # process_id null: the whole task
        at=_TIME,
        elapsed_s=pa.float64(),
        **_many(pa.float64(), "cpu_user_s cpu_system_s cpu_s"),
        **_many(pa.float64(), "wall_cpu_s wall_runnable_s wall_disk_s wall_network_s wall_idle_s"),
        memory_bytes=pa.int64(),
        **_many(pa.int64(), "disk_read_bytes disk_write_bytes io_read_chars io_write_chars"),
        **_many(pa.int64(), "network_rx_bytes network_tx_bytes"),
        **_many(pa.int32(), "processes threads"),
        spool=pa.string(),
    ),
    "hosts": _schema(
        host=pa.string(),
        at=_TIME,
        cpu_count=pa.int32(),
        **_many(
            pa.float64(), "cpu_user_s cpu_system_s cpu_idle_s cpu_iowait_s cpu_steal_s load_1m"
        ),
        **_many(pa.int64(), "memory_total_bytes memory_available_bytes swap_used_bytes"),
        **_many(pa.int64(), "disk_read_bytes disk_write_bytes network_rx_bytes network_tx_bytes"),
        **_many(pa.int64(), "forks processes_running processes_blocked"),
        spool=pa.string(),
    ),
    "events": _schema(
        task_id=pa.string(),  # null: an event of the run
        **_many(pa.int32(), "attempt process_id"),
        at=_TIME,
        **_many(pa.string(), "kind detail"),  # detail: a JSON object
        spool=pa.string(),
    ),
}
