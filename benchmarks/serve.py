"""What `serve` costs: a run of 2,000 tasks, scraped every second.

    python benchmarks/serve.py [--tasks 2000] [--json FILE]

Real supervised commands, two at a time, in 20 steps, while a real `serve` is asked for its metrics
each second. Shows its CPU (with that of the processes that it starts) as a share of one core over
the run, its peak memory, the number of series at the end beside the bound, how long a scrape takes,
and how many attempts its counters have. Ends with an error if a bound does not hold that
docs/beside-grafana.md promises.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    )
    print("all bounds hold" if kept else "A BOUND DOES NOT HOLD")
    return 0 if kept else 1


def measure(store: Path, tasks: int) -> dict[str, float]:
    """Run everything; figures by name."""
    command = [sys.executable, "-m", "tracer_hooks", "serve", "--store", str(store), "--port", "0"]
    serve = subprocess.Popen(
        [*command, "--hold", "5"], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    assert serve.stdout is not None
    url = serve.stdout.readline().split()[-1]
    try:
        return observed(serve.pid, url, store, tasks)
    finally:
        serve.terminate()
        serve.wait()


def observed(pid: int, url: str, store: Path, tasks: int) -> dict[str, float]:
    """The run, scraped."""
    scrapes: list[float] = []
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(max(0.0, 1.0 - (scrapes[-1] if scrapes else 0.0))):
            begin = time.perf_counter()
            text_of(url)
            scrapes.append(time.perf_counter() - begin)

    scraper = threading.Thread(target=scrape)
    cpu_before, begin = cpu_s(pid), time.monotonic()
    scraper.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: task(store, number), range(tasks)))
        time.sleep(7)  # the last steps' counters are held for five seconds
        seconds = time.monotonic() - begin
    finally:
        over.set()
        scraper.join()
    cpu = cpu_s(pid) - cpu_before
    lines = [line for line in text_of(url).splitlines() if not line.startswith("#")]
    counted = sum(
        float(line.split()[-1]) for line in lines if line.startswith("tracer_task_attempts_total{")
    )
    from tracer_hooks.export.metrics import metric_table

    return {
        "tasks": tasks,
        "attempts_counted": counted,
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu, 2),
        "cpu_share": round(cpu / seconds, 4),
        "memory_peak_mib": round(peak_mib(pid), 1),
        "series": len(lines),
        "series_bound": metric_table().most_series(),
        "scrapes": len(scrapes),
        "scrape_median_ms": round(sorted(scrapes)[len(scrapes) // 2] * 1e3, 1),
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
