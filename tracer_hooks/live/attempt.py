"""One task attempt as its spool has told so far: totals that only grow, and what it does now."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from tracer_hooks.supervisor.identifiers import unescape

if TYPE_CHECKING:
    from tracer_hooks.alert.rules import Measure

Line = dict[str, Any]

# Cumulative columns. A reading may show less than the one before it (user and system time are told
# apart anew each time); what was said once stands.
TOTALS = (
    "cpu_user_s", "cpu_system_s", "cpu_s", "wall_cpu_s", "wall_runnable_s", "wall_disk_s",
    "wall_network_s", "wall_idle_s", "disk_read_bytes", "disk_write_bytes", "io_read_chars",
    "io_write_chars", "network_rx_bytes", "network_tx_bytes", "major_faults",
)  # fmt: skip
WAITS = ("cpu", "runnable", "disk", "network", "idle")
GIB = 1024.0**3
_RUNNABLE = WAITS.index("runnable")
# Ready for so much of the time is no idleness.
_IN_LINE = 0.25
# Readings that are kept of each attempt: enough for the windows, never more.
_KEPT = 128


class Reading(NamedTuple):
    """A moment: UNIX seconds, seconds since the start, and what was seen then."""

    at: float
    elapsed_s: float
    cpu_s: float
    io_bytes: float
    memory_bytes: float | None
    waits: tuple[float, ...]


class Attempt:
    """What is known of one attempt; see `take`. Times in UNIX seconds, None: not known."""

    def __init__(self, run_id: str, stem: str) -> None:
        self.run_id, self.stem = run_id, stem
        self.card: Line = {}
        self.head: Line = {}
        self.totals: dict[str, float] = {}
        self.readings: deque[Reading] = deque(maxlen=_KEPT)
        self.last: Line = {}
        self.sealed: Line | None = None
        self.status = "running"
        self.memory_limit_bytes: float | None = None
        self.oom_kills = 0
        self.degraded: list[str] = []
        self.progress: Reading | None = None
        self.hot: list[list[Any]] = []  # [process id, cpu_s, memory_bytes, …] of the last reading

    # --- who -------------------------------------------------------------------------------------
    @property
    def pipeline(self) -> str:
        """Its pipeline; empty if nobody said."""
        return _text(self.card.get("pipeline"))

    @property
    def step(self) -> str:
        """Its step."""
        return _text(self.card.get("step"))

    @property
    def engine(self) -> str:
        """Its engine."""
        return _text(self.card.get("engine"))

    @property
    def host(self) -> str:
        """The host that it runs on."""
        return _text(self.head.get("host"))

    @property
    def task_id(self) -> str:
        """The task that it is an attempt at."""
        known = self.card.get("task_id")
        return str(known) if known is not None else unescape(self.stem.rsplit(".", 2)[0])

    @property
    def number(self) -> int:
        """1 for the first attempt."""
        known = self.card.get("attempt")
        return known if isinstance(known, int) and known > 0 else 1

    @property
    def name(self) -> str:
        """What people call the task."""
        return _text(self.card.get("task_name")) or self.task_id

    @property
    def started_at(self) -> float | None:
        """When its command was launched."""
        return number(self.head.get("started_at"))

    @property
    def cores_requested(self) -> float | None:
        """Cores asked for."""
        return number(self.card.get("cpus_requested"))

    @property
    def memory_requested_bytes(self) -> float | None:
        """Memory asked for."""
        return number(self.card.get("memory_requested_bytes"))

    # --- what it does ----------------------------------------------------------------------------
    def take(self, line: Line, measure: Measure) -> None:
        """One line of its spool, in order."""
        kind = line.get("t")
        if kind == "card":
            self.head = line
            card = line.get("card")
            self.card = card if isinstance(card, dict) else {}
        elif kind == "r":
            self._reading(line, measure)
        elif kind == "e":
            self._event(line)
        elif kind == "sealed":
            self.sealed = line
            self._grow(line)
            self.status = _status(line)

    def _reading(self, line: Line, measure: Measure) -> None:
        self.last = line
        self._grow(line)
        at, elapsed = number(line.get("at")), number(line.get("elapsed_s"))
        if at is None or elapsed is None:
            return
        moved = (self.totals.get(name, 0.0) for name in TOTALS[8:14])
        reading = Reading(
            at,
            elapsed,
            self.totals.get("cpu_s", 0.0),
            sum(moved),
            number(line.get("memory_bytes")),
            tuple(self.totals.get(f"wall_{wait}_s", 0.0) for wait in WAITS),
        )
        before = self.readings[-1] if self.readings else None
        if before is not None and reading.elapsed_s <= before.elapsed_s:
            return
        if (
            self.progress is None
            or progressed(self.progress, reading, measure)
            or (before is not None and progressed(before, reading, measure))
        ):
            self.progress = reading
        self.readings.append(reading)
        rows = line.get("p")
        self.hot = rows if isinstance(rows, list) else []

    def _event(self, line: Line) -> None:
        detail = line.get("detail")
        detail = detail if isinstance(detail, dict) else {}
        kind = line.get("kind")
        if kind == "oom":
            self.oom_kills += 1
        elif kind == "degraded":
            self.degraded.append(_text(detail.get("what")))
        elif kind == "limit":
            self.memory_limit_bytes = number(detail.get("memory_bytes"))

    def _grow(self, line: Line) -> None:
        for name in TOTALS:
            value = number(line.get(name))
            if value is not None and value >= self.totals.get(name, 0.0):
                self.totals[name] = value

    def elapsed_s(self, now: float) -> float | None:
        """How long it runs, or ran."""
        if self.sealed is not None:
            return number(self.sealed.get("wall_s"))
        return None if self.started_at is None else max(0.0, now - self.started_at)

    def cores_used(self) -> float | None:
        """Cores in use between the last two readings."""
        if not self.readings:
            return None
        last = self.readings[-1]
        before = self.readings[-2] if len(self.readings) > 1 else None
        cpu = last.cpu_s - (before.cpu_s if before else 0.0)
        seconds = last.elapsed_s - (before.elapsed_s if before else 0.0)
        return cpu / seconds if seconds > 0 else None

    def waits_for(self) -> str | None:
        """Where most of the time between the last two readings went."""
        if not self.readings:
            return None
        last = self.readings[-1].waits
        before = self.readings[-2].waits if len(self.readings) > 1 else (0.0,) * len(WAITS)
        grown = [new - old for new, old in zip(last, before, strict=True)]
        return WAITS[grown.index(max(grown))] if max(grown) > 0 else None

    def memory_bytes(self) -> float | None:
        """Memory at the last reading."""
        return self.readings[-1].memory_bytes if self.readings else None

    def limit_bytes(self) -> float | None:
        """What its memory must stay below: its cgroup's limit, or what it asked for."""
        known = [v for v in (self.memory_limit_bytes, self.memory_requested_bytes) if v]
        return min(known) if known else None

    def idle_cores(self, measure: Measure) -> float:
        """The cores that it holds and leaves idle; 0 if that can't be said."""
        asked = self.cores_requested
        if not asked or not self.readings:
            return 0.0
        last = self.readings[-1]
        first = None
        for reading in reversed(self.readings):
            if last.elapsed_s - reading.elapsed_s >= measure.idle_window_s:
                first = reading
                break
        if first is None:
            return 0.0
        seconds = last.elapsed_s - first.elapsed_s
        used = (last.cpu_s - first.cpu_s) / seconds
        # Who stands in line for a core does not leave the cores idle: somebody else has them.
        in_line = (last.waits[_RUNNABLE] - first.waits[_RUNNABLE]) / seconds
        return asked if used < measure.idle_share * asked and in_line < _IN_LINE else 0.0

    def memory_projected_ratio(self, measure: Measure) -> float | None:
        """Its memory at the horizon against the limit, if it grows on as it does; None without a
        limit or before half of the window was seen."""
        limit = self.limit_bytes()
        if not limit or not self.readings:
            return None
        end = self.readings[-1].elapsed_s
        points = [
            (reading.elapsed_s, reading.memory_bytes)
            for reading in self.readings
            if reading.memory_bytes is not None
            and end - reading.elapsed_s <= measure.memory_window_s
        ]
        if len(points) < 4 or points[-1][0] - points[0][0] < measure.memory_window_s / 2:
            return None
        return (points[-1][1] + growth(points) * measure.memory_horizon_s) / limit


def progressed(before: Reading, after: Reading, measure: Measure) -> bool:
    """Whether what happened between two readings is progress."""
    seconds = after.elapsed_s - before.elapsed_s
    return (
        after.cpu_s - before.cpu_s >= measure.progress_cores * seconds
        or after.io_bytes - before.io_bytes >= measure.progress_bytes_per_s * seconds
    )


def growth(points: list[tuple[float, float]]) -> float:
    """What (seconds, bytes) grow by in a second: what both halves have in common, so that who takes
    all that it needs at once is not taken for who takes more and more."""
    middle = (points[0][0] + points[-1][0]) / 2
    first = [point for point in points if point[0] <= middle]
    second = [point for point in points if point[0] >= middle]
    return min(slope(first), slope(second))


def slope(points: list[tuple[float, float]]) -> float:
    """The slope of the least-squares line through (x, y); never below 0."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread <= 0:
        return 0.0
    return max(0.0, sum((x - mean_x) * (y - mean_y) for x, y in points) / spread)


def number(value: Any) -> float | None:
    """A finite number that is not negative, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and 0 <= value < 1e300 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _status(line: Line) -> str:
    status = line.get("status")
    if status in ("succeeded", "failed", "cancelled", "lost"):
        return str(status)
    return "succeeded" if line.get("exit_code") == 0 and not line.get("signal") else "failed"
