"""What `serve` costs: a run of 2,000 tasks, scraped every second, with a kill -9 half way.

    python benchmarks/serve.py [--tasks 2000] [--json FILE]

Real supervised commands, two at a time, in 20 steps, while a real `serve` is asked for its metrics
each second. Half way it is killed (SIGKILL) and started again on the same state. Shows the CPU of
both (with that of the processes that they start) as a share of one core over the run, the higher
peak of memory, the number of series at the end beside the bound, how long a scrape takes, how many
attempts and how much CPU the counters have beside what the store has, and how many counters were
ever seen to fall. Ends with an error if a bound does not hold that docs/beside-grafana.md promises.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tracer_hooks.export.metrics import metric_table
from tracer_hooks.store import Store

STEPS = 20
SCRIPT = str(Path(sys.executable).with_name("tracer-hooks"))
CPU_SHARE, MEMORY_MIB = 0.05, 150.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "store", options.tasks)
    for name, value in found.items():
        print(f"{name:>22}  {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    kept = (
        found["cpu_share"] <= CPU_SHARE
        and found["memory_peak_mib"] <= MEMORY_MIB
        and found["series"] <= found["series_bound"]
        and found["attempts_counted"] == options.tasks
        and abs(found["cpu_counted_s"] - found["cpu_stored_s"]) < 0.01
        and not found["counters_that_fell"]
    )
    print("all bounds hold" if kept else "A BOUND DOES NOT HOLD")
    return 0 if kept else 1


class Serve:
    """A `serve` that is killed and started again: what all of its processes used."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self.url, self.pid, self.cpu_s, self.peak_mib = "", 0, 0.0, 0.0
        self._begin()

    def _begin(self) -> None:
        command = [SCRIPT, "serve", "--store", str(self._store), "--port", "0", "--hold", "5"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1]

    def note(self) -> None:
        """Take down what this process has used."""
        self.cpu_s += cpu_s(self.pid)
        self.peak_mib = max(self.peak_mib, peak_mib(self.pid))

    def kill_and_restart(self) -> None:
        """kill -9, and the same command again."""
        self.note()
        self.end(signal.SIGKILL)
        self._begin()

    def end(self, number: int = signal.SIGTERM) -> None:
        """End the process."""
        self._process.send_signal(number)
        self._process.wait()


class Scraper(threading.Thread):
    """Asks for the metrics each second, and watches that no counter falls."""

    def __init__(self, serve: Serve) -> None:
        super().__init__()
        self._serve, self._over = serve, threading.Event()
        self.seconds: list[float] = []
        self.missed = 0
        self.fell: set[str] = set()
        self.counters: dict[str, float] = {}

    def run(self) -> None:
        while not self._over.wait(max(0.0, 1.0 - (self.seconds[-1] if self.seconds else 0.0))):
            begin = time.perf_counter()
            try:
                self.look()
            except OSError:
                self.missed += 1  # it is being started again
                continue
            self.seconds.append(time.perf_counter() - begin)

    def look(self) -> list[str]:
        """Scrape; the lines of samples."""
        lines = [line for line in text_of(self._serve.url).splitlines() if line[0] != "#"]
        for line in lines:
            name, _, value = line.rpartition(" ")
            metric = name.partition("{")[0]
            # What `serve` says of its own process begins anew with the process.
            if metric.endswith("_total") and not metric.startswith("tracer_serve_"):
                if float(value) < self.counters.get(name, 0.0):
                    self.fell.add(name)
                self.counters[name] = float(value)
        return lines

    def end(self) -> None:
        """No more."""
        self._over.set()
        self.join()

    def total(self, metric: str) -> float:
        """A counter, over all labels, as last seen."""
        return sum(v for name, v in self.counters.items() if name.partition("{")[0] == metric)


def measure(store: Path, tasks: int) -> dict[str, float]:
    """Run everything; figures by name."""
    serve = Serve(store)
    scraper = Scraper(serve)
    began, cpu_before = time.monotonic(), cpu_s(serve.pid)
    scraper.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            for number, _ in enumerate(pool.map(lambda number: task(store, number), range(tasks))):
                if number == tasks // 2:
                    serve.kill_and_restart()
        time.sleep(7)  # the last steps' counters are held for five seconds
        seconds = time.monotonic() - began
        serve.note()
    finally:
        scraper.end()
    lines = scraper.look()
    serve.end()
    stored = Store(store).table("tasks")
    cpu = serve.cpu_s - cpu_before
    return {
        "tasks": tasks,
        "attempts_counted": scraper.total("tracer_task_attempts_total"),
        "cpu_counted_s": round(scraper.total("tracer_task_cpu_time_seconds_total"), 3),
        "cpu_stored_s": round(
            sum(sum(stored[column].to_pylist()) for column in ("cpu_user_s", "cpu_system_s")), 3
        ),
        "counters_that_fell": len(scraper.fell),
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu, 2),
        "cpu_share": round(cpu / seconds, 4),
        "memory_peak_mib": round(serve.peak_mib, 1),
        "series": len(lines),
        "series_bound": metric_table().most_series(),
        "scrapes": len(scraper.seconds),
        "scrapes_missed": scraper.missed,
        "scrape_median_ms": round(statistics.median(scraper.seconds) * 1e3, 1),
        "scrape_bytes": sum(len(line) + 1 for line in lines),
    }


def task(store: Path, number: int) -> None:
    """One short task with a helper."""
    subprocess.run(
        [
            *(SCRIPT, "run", "--store", str(store)),
            *("--run", "bench", "--pipeline", "bench", "--step", f"step{number % STEPS}"),
            *("--task", f"t{number}", "--cpus", "1", "--memory", "1G"),
            *("--", "sh", "-c", "sleep 0.05; true | cat > /dev/null"),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def text_of(url: str) -> str:
    """What /metrics says."""
    request = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (our own)
        return str(answer.read().decode())


def cpu_s(pid: int) -> float:
    """CPU of a process and of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(value) for value in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """Peak memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
