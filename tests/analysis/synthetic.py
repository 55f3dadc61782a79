"""Tables as a store would hold them, made from a seed: a small sequencing run, or many tasks."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tracer_hooks.store.schema import TABLES

RUN = "20260501T101112-a1b2c3"
START = dt.datetime(2026, 5, 1, 10, 11, 12, tzinfo=dt.timezone.utc)
MIB = 1 << 20
GIB = 1 << 30


def table(name: str, rows: list[dict[str, Any]], run_id: str = RUN) -> pa.Table:
    """Rows as the table `name` of the store; what a row leaves out is null."""
    schema = TABLES[name]
    for row in rows:
        unknown = set(row) - set(schema.names)
        if unknown:
            raise ValueError(f"no such columns: {unknown}")
    body = pa.Table.from_pylist([{**dict.fromkeys(schema.names), **r} for r in rows], schema)
    return body.add_column(0, "run_id", pa.array([run_id] * len(rows), pa.string()))


def task(
    task_id: str = "t1",
    *,
    waits: tuple[float, ...] | None = (6.0, 0.5, 2.0, 0.0, 1.5),
    at: float = 0.0,
    **columns: Any,
) -> dict[str, Any]:
    """A row of `tasks`: by default ten seconds that succeeded."""
    wall = sum(waits) if waits is not None else columns.get("wall_s") or 0.0
    started = START + dt.timedelta(seconds=at)
    row: dict[str, Any] = {
        "pipeline": "rnaseq", "engine": "snakemake", "step": "align", "task_id": task_id,
        "task_name": task_id, "attempt": 1, "host": "node1", "user": "ada", "workdir": "/data",
        "command": "bwa mem ref.fa reads.fq", "status": "succeeded", "exit_code": 0,
        "started_at": started, "ended_at": started + dt.timedelta(seconds=wall), "wall_s": wall,
        "cpu_user_s": 5.5, "cpu_system_s": 0.5, "cpu_s": 6.0, "cpu_unattributed_s": 0.25,
        "memory_peak_bytes": 800 * MIB, "memory_mean_bytes": 500 * MIB, "memory_source": "pss",
        "disk_read_bytes": 10 * MIB, "disk_write_bytes": 20 * MIB, "process_count": 4,
        "process_count_source": "counted", "short_process_count": 1, "threads_peak": 3,
        "capture": "poll", "reading_count": 20, "observer_cpu_s": 0.05,
        "observer_memory_bytes": 12 * MIB, "spool": f"{task_id}.1.x",
    }  # fmt: skip
    if waits is not None:
        names = ("cpu", "runnable", "disk", "network", "idle")
        row |= {f"wall_{name}_s": value for name, value in zip(names, waits, strict=True)}
    return row | columns


# step: threads asked, memory asked, mean wall, parts of the wall, cores used, peak, tools
_STEPS: dict[str, tuple[int, int, float, tuple[float, ...], float, int, dict[str, int]]] = {
    "trim_reads": (1, 1 * GIB, 22.0, (0.88, 0.02, 0.06, 0.0, 0.04), 0.97, 160 * MIB,
                   {"cutadapt": 2, "pigz": 1}),
    "align": (4, 8 * GIB, 94.0, (0.83, 0.04, 0.05, 0.0, 0.08), 1.04, 1380 * MIB,
              {"bwa mem": 1, "samtools view": 1, "bash": 1}),
    "sort": (2, 4 * GIB, 41.0, (0.21, 0.01, 0.71, 0.0, 0.07), 0.42, 2150 * MIB,
             {"samtools sort": 1}),
    "annotate": (1, 1 * GIB, 17.0, (0.61, 0.18, 0.04, 0.0, 0.17), 0.93, 24 * MIB,
                 {"grep": 400, "awk": 380, "gzip": 60, "bash": 420}),
    "fetch_reference": (1, GIB, 38.0, (0.03, 0.0, 0.05, 0.74, 0.18), 0.05, 55 * MIB, {"curl": 1}),
    "wait_for_licence": (1, GIB, 30.0, (0.0, 0.0, 0.0, 0.0, 1.0), 0.002, 9 * MIB, {"sleep": 1}),
}  # fmt: skip


def sequencing_run(samples: int = 12, seed: int = 1) -> dict[str, pa.Table]:
    """A run as scientists have them: six steps, uneven samples, one retry, one lost attempt."""
    rng = random.Random(seed)
    tasks: list[dict[str, Any]] = []
    tools: list[dict[str, Any]] = []
    clock = 0.0
    for number in range(samples):
        sample = f"S{number + 1:02d}"
        for step, (cpus, memory, mean, parts, cores, peak, used) in _STEPS.items():
            if step in ("fetch_reference", "wait_for_licence") and number:
                continue
            wall = mean * rng.lognormvariate(0.0, 0.25)
            task_id = f"{step}/{sample}" if step not in ("fetch_reference",) else step
            failed = step == "sort" and number == 3
            lost = step == "align" and number == 5
            tries = [("failed", 0.4)] if failed else [("lost", 0.6)] if lost else []
            for attempt, (status, part) in enumerate([*tries, ("succeeded", 1.0)], 1):
                spent, spool = wall * part, f"{task_id}.{attempt}.x"
                cpu = spent * cores
                short = sum(n for n in used.values() if n > 10)
                row = task(
                    task_id, waits=tuple(spent * p for p in parts), at=clock, step=step,
                    attempt=attempt, sample=sample, status=status, spool=spool,
                    cpus_requested=float(cpus), memory_requested_bytes=memory,
                    cpu_s=cpu, cpu_user_s=cpu * 0.93, cpu_system_s=cpu * 0.07,
                    cpu_unattributed_s=cpu * (0.21 if short else 0.003),
                    memory_peak_bytes=int(peak * rng.uniform(0.8, 1.1)),
                    disk_read_bytes=int(spent * 9e6), disk_write_bytes=int(spent * 14e6),
                    process_count=sum(used.values()), short_process_count=short,
                    process_count_source="estimated" if short else "counted",
                    reading_count=int(spent * 2) + 3,
                )  # fmt: skip
                if status == "failed":
                    row |= {"exit_code": 137, "signal": 9, "failure_cause": "oom"}
                if status == "lost":
                    row |= {"exit_code": None, "ended_at": None, "observer_cpu_s": None}
                tasks.append(row)
                named = cpu - row["cpu_unattributed_s"]
                weight = sum(i + 1 for i in range(len(used)))
                for place, (tool, count) in enumerate(used.items()):
                    part_of = (len(used) - place) / weight
                    tools.append({
                        "task_id": task_id, "attempt": attempt, "tool": tool, "count": count,
                        "short_count": count if count > 10 else 0, "folded_count": 0,
                        "cpu_s": named * part_of, "wall_s": spent * part_of * 1.3,
                        "memory_peak_bytes": int(peak * part_of),
                        "disk_read_bytes": int(spent * 9e6 * part_of),
                        "disk_write_bytes": int(spent * 14e6 * part_of),
                        "source": "poll", "spool": spool,
                    })  # fmt: skip
                clock += spent / 4
    end = START + dt.timedelta(seconds=clock + 60)
    return {
        "runs": table("runs", [{
            "pipeline": "rnaseq", "engine": "snakemake", "engine_version": "9.27.0",
            "started_at": START, "ended_at": end, "wall_s": (end - START).total_seconds(),
            "status": "succeeded", "host": "node1", "user": "ada", "workdir": "/data/rnaseq",
            "command": "snakemake --executor tracer --cores 4", "total_tasks": len(tasks),
        }]),
        "tasks": table("tasks", tasks),
        "tools": table("tools", tools),
        "hosts": table("hosts", _hosts(clock + 60)),
        "events": table("events", [
            {"task_id": row["task_id"], "attempt": row["attempt"], "at": START, "kind": "degraded",
             "detail": '{"what": "perf events", "why": "kernel.perf_event_paranoid is 3"}'}
            for row in tasks
        ] + [{"task_id": "sort/S04", "attempt": 1, "at": START, "kind": "oom", "detail": "{}"}]),
    }  # fmt: skip


# step: tasks, cores asked, seconds of one task on a free host: on CPU, disk, idle
_EXAMPLE: dict[str, tuple[int, float, float, float, float]] = {
    "reference": (1, 1.0, 0.3, 0.0, 0.0),
    "sequence": (5, 1.0, 1.5, 0.02, 0.05),
    "trim": (5, 2.0, 0.6, 0.0, 0.15),
    "tile_qc": (5, 1.0, 1.6, 0.0, 0.7),
    "select": (1, 1.0, 0.2, 0.0, 0.0),
    "map": (4, 4.0, 3.7, 0.03, 0.1),
    "sort": (4, 1.0, 1.3, 0.02, 0.1),
    "call": (4, 1.0, 1.5, 0.0, 0.1),
    "archive": (1, 1.0, 1.5, 3.5, 0.2),
    "annotate": (1, 1.0, 0.1, 0.0, 6.3),
    "summary": (1, 1.0, 0.2, 0.0, 0.1),
}


def outbreak_typing(contended: float, process_count_source: str) -> dict[str, pa.Table]:
    """The example's run on a host so busy that tasks wait for a core `contended` of their time.

    `process_count_source` `estimated`: of its short helpers nobody saw the names.
    """
    tasks: list[dict[str, Any]] = []
    tools: list[dict[str, Any]] = []
    seen = process_count_source != "estimated"
    for step, (count, asked, cpu, disk, idle) in _EXAMPLE.items():
        for number in range(count):
            # Who sleeps or waits for the disk competes less.
            ready = (cpu + disk / 2) * contended / (1 - contended)
            many = 887 if step == "tile_qc" else 2
            unnamed = cpu * 0.9 if step == "tile_qc" and not seen else 0.01
            row = task(
                f"{step}/{number}", step=step, waits=(cpu, ready, disk, 0.0, idle), cpu_s=cpu,
                cpu_unattributed_s=unnamed, cpus_requested=asked, at=float(len(tasks)),
                memory_requested_bytes=2 * GIB if step == "map" else GIB // 2,
                memory_peak_bytes=60 * MIB, process_count=many, short_process_count=many - 2,
                process_count_source=process_count_source,
            )  # fmt: skip
            tasks.append(row)
            used = {"dd": (1, cpu)} if many < 100 else {
                "bash tile_qc.sh": (240, cpu * 0.2), "cut": (320, cpu * 0.3),
                "awk": (200, cpu * 0.3), "gzip": (127, cpu * 0.1),
            } if seen else {"bash tile_qc.sh": (2, cpu * 0.1)}  # fmt: skip
            tools += [
                {"task_id": row["task_id"], "attempt": 1, "tool": tool, "count": n,
                 "short_count": n - 1, "cpu_s": spent, "spool": row["spool"]}
                for tool, (n, spent) in used.items()
            ]  # fmt: skip
    return {
        "tasks": table("tasks", tasks),
        "tools": table("tools", tools),
        "hosts": table("hosts", _hosts(60.0)),
    }


def _hosts(seconds: float) -> list[dict[str, Any]]:
    return [
        {
            "host": "node1", "at": START + dt.timedelta(seconds=at), "cpu_count": 4,
            "cpu_user_s": 1e5 + at * 1.9, "cpu_system_s": 2e4 + at * 0.3,
            "cpu_idle_s": 9e6 + at * 0.9, "cpu_iowait_s": 5e3 + at * 0.9, "cpu_steal_s": 0.0,
            "memory_total_bytes": 16 * GIB, "memory_available_bytes": 9 * GIB, "load_1m": 3.1,
            "forks": 1000 + int(at * 40), "disk_read_bytes": int(at * 1e7),
            "disk_write_bytes": int(at * 2e7),
        }
        for at in (0.0, seconds / 2, seconds)
    ]  # fmt: skip


def process(process_id: int, parent: int | None, tool: str, **columns: Any) -> dict[str, Any]:
    """A row of `processes` of the task `t1`: by default one second long, half of it on CPU."""
    started = START + dt.timedelta(seconds=columns.pop("at", 0.0))
    return {
        "task_id": "t1", "attempt": 1, "process_id": process_id, "parent_id": parent,
        "pid": 4000 + process_id, "tool": tool, "comm": tool[:15], "forked": False,
        "started_at": started,
        "ended_at": started + dt.timedelta(seconds=columns.pop("lived", 1.0)), "cpu_s": 0.5,
        "memory_peak_bytes": 30 * MIB, "exit_code": 0, "source": "poll", "spool": "t1.1.x",
    } | columns  # fmt: skip


def one_task() -> dict[str, pa.Table]:
    """A task of a minute: it reads, then works on two cores in four workers, then writes."""
    waits = (42.0, 1.0, 12.0, 0.0, 5.0)
    whole = task(
        waits=waits, cpu_s=70.0, cpu_unattributed_s=1.2, cpus_requested=4.0, process_count=46,
        memory_requested_bytes=4 * GIB, memory_peak_bytes=1900 * MIB, sample="S01",
        submitted_at=START - dt.timedelta(seconds=3.2), short_process_count=40,
        command="bash -c 'bwa mem -t 4 ref.fa S01.fq | samtools sort -o S01.bam'",
        io_read_chars=900 * MIB, io_write_chars=700 * MIB, disk_read_bytes=640 * MIB,
        disk_write_bytes=480 * MIB,
    )  # fmt: skip
    readings = []
    for place in range(121):
        at = place / 2
        work = min(max(at - 10, 0) / 40, 1.0)
        readings.append({
            "task_id": "t1", "attempt": 1, "at": START + dt.timedelta(seconds=at),
            "elapsed_s": at, "cpu_s": 70.0 * work, "wall_cpu_s": 42 * work,
            "wall_runnable_s": work, "wall_network_s": 0.0,
            "wall_disk_s": min(at, 10.0) * 0.8 + max(at - 50, 0) * 0.4,
            "wall_idle_s": min(at, 10.0) * 0.2 + max(at - 50, 0) * 0.3,
            "memory_bytes": int((200 + 1700 * work) * MIB) if at < 55 else 60 * MIB,
            "disk_read_bytes": int(min(at / 10, 1.0) * 640 * MIB),
            "disk_write_bytes": int(max(at - 50, 0) / 10 * 480 * MIB),
            "processes": 7 if 10 < at < 50 else 3, "threads": 8, "spool": "t1.1.x",
        })  # fmt: skip
    processes = [
        process(1, None, "bash", lived=60.0, cpu_s=0.1),
        process(2, 1, "bwa mem", at=0.1, lived=50.0, cpu_s=3.0, memory_peak_bytes=1600 * MIB),
        *(process(3 + i, 2, "bwa mem", at=10.0, lived=40.0, cpu_s=15.0, forked=True,
                  memory_peak_bytes=400 * MIB) for i in range(4)),
        process(7, 1, "samtools sort", at=0.2, lived=59.0, cpu_s=4.0),
        process(8, 1, "bash", at=1.0, lived=4.0, cpu_s=0.3),
        *(process(9 + i, 8, "gzip", at=1.0 + i / 10, lived=0.01, cpu_s=0.01) for i in range(40)),
        process(60, 1, "grep", at=59.0, lived=0.1, cpu_s=0.01, exit_code=1),
    ]  # fmt: skip
    tools = [
        {"task_id": "t1", "attempt": 1, "tool": tool, "count": n, "short_count": n if n > 9 else 0,
         "cpu_s": cpu, "wall_s": wall, "memory_peak_bytes": 30 * MIB, "spool": "t1.1.x"}
        for tool, n, cpu, wall in (
            ("bwa mem", 5, 63.0, 210.0), ("samtools sort", 1, 4.0, 59.0),
            ("gzip", 40, 0.4, 0.4), ("bash", 2, 0.4, 64.0), ("grep", 1, 0.01, 0.1),
        )
    ]  # fmt: skip
    events = [{"task_id": "t1", "attempt": 1, "at": START + dt.timedelta(seconds=31),
               "kind": "throttled", "detail": '{"share": 0.2}', "spool": "t1.1.x"}]  # fmt: skip
    return {
        "tasks": table("tasks", [whole]),
        "processes": table("processes", processes),
        "readings": table("readings", readings),
        "tools": table("tools", tools),
        "events": table("events", events),
    }


def many_tasks(count: int, seed: int = 1) -> dict[str, pa.Table]:
    """`count` short tasks of 40 steps with three tools each, for judging speed.

    Beyond a few thousand the same tasks again, later: rows made one by one take minutes.
    """
    blocks = range(0, count, _BLOCK)
    first = _some_tasks(min(count, _BLOCK), seed)
    return {
        name: pa.concat_tables([_later(rows, block) for block in blocks])[: count * each]
        for (name, rows), each in zip(first.items(), (1, 3), strict=True)
    }


_BLOCK = 1200  # whole cycles of 40 steps and of 60 tools


def _later(rows: pa.Table, block: int) -> pa.Table:
    """The rows of tasks numbered from `block` on."""
    if not block:
        return rows
    numbers = pc.add(pc.cast(pc.utf8_slice_codeunits(rows["task_id"], 3), pa.int64()), block)
    task_id = pc.binary_join_element_wise("job", pc.cast(numbers, pa.string()), "")
    changed = {"task_id": task_id, "spool": pc.binary_join_element_wise(task_id, ".1.x", "")}
    if "started_at" in rows.column_names:
        later = pa.scalar(dt.timedelta(seconds=block * 0.05), pa.duration("us"))
        times = ("started_at", "ended_at")
        changed |= {"task_name": task_id} | {name: pc.add(rows[name], later) for name in times}
    for name, values in changed.items():
        place = rows.column_names.index(name)
        rows = rows.set_column(place, rows.field(place), pc.cast(values, rows.field(place).type))
    return rows


def _some_tasks(count: int, seed: int) -> dict[str, pa.Table]:
    rng = random.Random(seed)
    tasks, tools = [], []
    for number in range(count):
        task_id = f"job{number}"
        wall = rng.uniform(0.05, 4.0)
        tasks.append(
            task(task_id, waits=(wall * 0.5, 0.0, wall * 0.2, 0.0, wall * 0.3), at=number * 0.05,
                 step=f"step{number % 40:02d}", cpu_s=wall * 0.5, cpu_unattributed_s=0.0)
        )  # fmt: skip
        tools += [
            {"task_id": task_id, "attempt": 1, "tool": tool, "count": 1, "short_count": 0,
             "folded_count": 0, "cpu_s": wall * 0.5 / 3, "wall_s": wall, "source": "poll",
             "spool": f"{task_id}.1.x"}
            for tool in ("bash", "python tool.py", f"tool{number % 60}")
        ]  # fmt: skip
    return {"tasks": table("tasks", tasks), "tools": table("tools", tools)}
