"""Rows of `readings`, `hosts` and `events`: what happened when."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleet_store.attempts import ENDS, Attempts, choices
from fleet_store.columns import table, where
from fleet_store.plan import GIB
from fleet_store.task_rows import polled, readings_of

_CORES = 32


def reading_rows(a: Attempts, rng: np.random.Generator) -> pa.Table:
    """The time series of each attempt: denser at the start; one row in three is of a process."""
    count = readings_of(a)
    owner = np.repeat(np.arange(len(a)), count)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    share = ((place + 1) / count[owner]) ** 2
    elapsed = share * a.wall_s[owner]
    whole = place % 3 != 2
    cpu = a.cpu_s[owner] * share
    read = a.input_bytes[owner] * share
    parts = {
        f"wall_{part}_s": where(whole, a.waits_s[owner, at] * share)
        for at, part in enumerate(("cpu", "runnable", "disk", "network", "idle"))
    }
    return table(
        "readings", len(owner), task_id=a.task_id.take(owner), attempt=a.attempt[owner],
        process_id=where(~whole, np.ones(len(owner))),
        at=a.start_us[owner] + elapsed * 1e6, elapsed_s=elapsed,
        cpu_user_s=where(whole, cpu * 0.9), cpu_system_s=where(whole, cpu * 0.1), cpu_s=cpu,
        **parts,
        memory_bytes=a.memory_bytes[owner] * np.minimum(1.0, share + 0.3),
        disk_read_bytes=read, disk_write_bytes=read * 0.6,
        io_read_chars=where(whole, read * 1.7), io_write_chars=where(whole, read),
        processes=where(whole, 1 + rng.poisson(2, len(owner))),
        threads=where(whole, 2 + rng.poisson(4, len(owner))), spool=a.spool.take(owner),
    )  # fmt: skip


def host_rows(a: Attempts, rng: np.random.Generator) -> pa.Table:
    """Each host once a second while the run lasted; counters grow from what they were."""
    begin = int(a.start_us.min())
    seconds = int((a.start_us + a.wall_s * 1e6).max() - begin) // 1_000_000 + 2
    hosts, rows = a.run.hosts, (int(a.run.hosts) * seconds)
    host = np.repeat(np.arange(hosts), seconds)
    busy = rng.uniform(0.2, 0.9, (hosts, seconds))
    waiting = (1 - busy) * rng.uniform(0.0, 0.5, (hosts, seconds))

    def counter(
        rate: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return (1e5 + np.cumsum(rate, axis=1)).reshape(-1)

    return table(
        "hosts", rows, host=choices([f"node{n}" for n in range(hosts)], host),
        at=begin + np.tile(np.arange(seconds), hosts) * 1_000_000, cpu_count=_CORES,
        cpu_user_s=counter(busy * 0.9 * _CORES), cpu_system_s=counter(busy * 0.1 * _CORES),
        cpu_idle_s=counter((1 - busy - waiting) * _CORES), cpu_iowait_s=counter(waiting * _CORES),
        cpu_steal_s=0.0, load_1m=busy.reshape(-1) * _CORES, memory_total_bytes=128 * GIB,
        memory_available_bytes=(1 - busy.reshape(-1)) * 100 * GIB, swap_used_bytes=0,
        disk_read_bytes=counter(waiting * 1e8), disk_write_bytes=counter(waiting * 6e7),
        network_rx_bytes=counter(busy * 1e6), network_tx_bytes=counter(busy * 1e5),
        forks=counter(busy * 300), processes_running=busy.reshape(-1) * _CORES,
        processes_blocked=waiting.reshape(-1) * 8,
        spool=choices([f"@host.node{n}@node{n}-77-{a.run.start:x}" for n in range(hosts)], host),
    )  # fmt: skip


def event_rows(a: Attempts, rng: np.random.Generator) -> pa.Table:
    """Kills for want of memory, throttling, what could not be seen, bytes of nobody."""
    causes = np.array([end[1] == "oom" for end in ENDS])
    draw = rng.random(len(a))
    chosen = {
        "oom": causes[a.end],
        "throttled": draw < 0.03,
        "degraded": (polled(a) == 1) & (draw < 0.5),
        "network_unattributed": draw > 0.9,
    }
    details = {
        "oom": '{"killed": "python", "count": 1}',
        "throttled": '{"share": 0.2, "periods": 40}',
        "degraded": '{"what": "perf", "why": "kernel.perf_event_paranoid is 4"}',
        "network_unattributed": '{"rx_bytes": 1200, "tx_bytes": 400}',
    }
    kinds = list(chosen)
    kind = np.concatenate([np.full(int(rows.sum()), place) for place, rows in
                           enumerate(chosen.values())])  # fmt: skip
    owner = np.concatenate([np.flatnonzero(rows) for rows in chosen.values()])
    order = np.argsort(owner, kind="stable")
    kind, owner = kind[order], owner[order]
    return table(
        "events", len(owner), task_id=pc.take(a.task_id, pa.array(owner)),
        attempt=a.attempt[owner],
        at=a.start_us[owner] + a.wall_s[owner] * rng.uniform(0, 1e6, len(owner)),
        kind=choices(kinds, kind), detail=choices([details[name] for name in kinds], kind),
        spool=a.spool.take(owner),
    )  # fmt: skip
