"""One attempt in several stretches: an engine lets go of a task that waits, and comes back.

A process that gives its place up (Airflow's deferral, a sensor that is rescheduled) ends, and the
same attempt goes on later in another process, which has another monitor. The first monitor's last
line is then `paused`, with the totals so far, instead of `sealed`; the next one goes on in the same
file, after a line `resumed`. What it writes is moved along: process ids and groups go on where the
earlier ones ended, counters have what was there before, so that readers meet one attempt. The time
in between, in which the task held no process, counts for nothing.
"""

import os

from tracer_hooks.supervisor import identifiers
from tracer_hooks.supervisor.spool import Spool

_TAIL_BYTES = 1 << 16  # more than a paused line can have
_SUMMED = (
    "wall_s", "elapsed_s", "cpu_user_s", "cpu_system_s", "cpu_s", "cpu_unattributed_s",
    "wall_cpu_s", "wall_runnable_s", "wall_disk_s", "wall_network_s", "wall_idle_s",
    "disk_read_bytes", "disk_write_bytes", "io_read_chars", "io_write_chars",
    "network_rx_bytes", "network_tx_bytes", "process_count", "short_process_count",
    "major_faults", "voluntary_switches", "involuntary_switches", "reading_count",
    "observer_cpu_s",
)  # fmt: skip
_RESUMED = ("t", "started_at", "host", "observer", "capture", "interval_s")
_LARGEST = ("memory_peak_bytes", "threads_peak", "observer_memory_bytes")
_TOTALS = ("r", "paused", "sealed")


class StretchSpool(Spool):
    """A spool that goes on after `before`, the `paused` line of the stretch before, if any."""

    def __init__(self, path: str, before: "dict[str, object] | None" = None) -> None:
        super().__init__(path)
        self._before = before or {}
        self._first_id = self._last_id = _whole(self._before.get("last_id"))
        self._first_group = self._last_group = _whole(self._before.get("last_group"))

    def add(self, line: "dict[str, object]") -> None:
        """Put a line in the buffer, moved to its place in the whole attempt."""
        kind = line["t"]
        if kind == "card" and self._before:
            line = {name: line[name] for name in _RESUMED if name in line}
            line.update(t="resumed", at=line.pop("started_at"))
        elif kind in ("p", "q", "e"):
            line = self._renumbered(line)
        elif kind == "fold":
            number = _whole(line["n"]) + self._first_group
            self._last_group = max(self._last_group, number + 1)
            line = dict(line, n=number)
        elif kind in _TOTALS:
            line = self._with_before(line)
            if kind == "paused":
                line.update(last_id=self._last_id, last_group=self._last_group)
        super().add(line)

    def _renumbered(self, line: "dict[str, object]") -> "dict[str, object]":
        moved = dict(line)
        for name in ("id", "parent", "exec_of"):
            number = moved.get(name)
            if isinstance(number, int):
                moved[name] = number = number + self._first_id
                self._last_id = max(self._last_id, number)
        return moved

    def _with_before(self, line: "dict[str, object]") -> "dict[str, object]":
        moved, before = dict(line), self._before
        rows = moved.get("p")
        if isinstance(rows, list):
            moved["p"] = [[_whole(row[0]) + self._first_id, *row[1:]] for row in rows]
        if not before:
            return moved
        mean = _mean(before, moved)
        for name in _SUMMED:
            if name in moved:
                moved[name] = _sum(moved[name], before.get(_WALL.get(name, name)))
        for name in _LARGEST:
            known = [n for n in (moved.get(name), before.get(name)) if isinstance(n, (int, float))]
            if name in moved and known:
                moved[name] = max(known)
        if mean is not None:
            moved["memory_mean_bytes"] = mean
        lost = _whole(moved.get("events_lost")) + _whole(before.get("events_lost"))
        if lost:
            moved["events_lost"] = lost
        return moved


_WALL = {"elapsed_s": "wall_s"}


def stretch_spool(
    store: str, run: str, task: str, attempt: int
) -> "tuple[StretchSpool, dict[str, object] | None]":
    """Where the record goes on, or begins; and the `paused` line that it goes on from."""
    tail = identifiers.unique(os.uname().nodename)
    path = identifiers.spool_path(store, run, task, attempt, tail)
    folder, _, name = path.rpartition("/")
    beginning = name[: len(name) - len(tail) - len(".jsonl")]
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        names = []
    for other in names:
        if other.startswith(beginning) and other.endswith(".jsonl"):
            before = paused_line(folder + "/" + other)
            if before is not None:
                return StretchSpool(folder + "/" + other, before), before
    return StretchSpool(path), None


def paused_line(path: str) -> "dict[str, object] | None":
    """The last line of a spool, if it says that the attempt is paused."""
    try:
        with open(path, "rb", buffering=0) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            data = file.read()
    except OSError:
        return None
    if not data.endswith(b"\n") or b'"paused"' not in data:
        return None
    import json

    try:
        line = json.loads(data[data.rfind(b"\n", 0, -1) + 1 :])
    except ValueError:
        return None
    return line if isinstance(line, dict) and line.get("t") == "paused" else None


def _sum(one: object, other: object) -> object:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one + other
    return None  # unknown in one stretch is unknown in all


def _mean(before: "dict[str, object]", now: "dict[str, object]") -> "int | None":
    """The mean over both stretches, each as long as it is."""
    first, second = before.get("memory_mean_bytes"), now.get("memory_mean_bytes")
    first_s, second_s = before.get("wall_s"), now.get("wall_s", now.get("elapsed_s"))
    figures = (first, second, first_s, second_s)
    if not all(isinstance(figure, (int, float)) for figure in figures):
        return None
    total_s = first_s + second_s  # type: ignore[operator]
    if total_s <= 0:
        return None
    return int((first * first_s + second * second_s) / total_s)  # type: ignore[operator]


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
