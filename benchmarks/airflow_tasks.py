"""What observing adds to an Airflow task: wall time, CPU and memory, on both majors.

`dag.test()` runs a DAG of Python tasks in one process, alternately without the listener and with
it, so that a machine that gets slower or faster in between bends both alike. Tasks last no time, or
as `--work` says: one that has hardly begun waits for its monitor to get ready for it, too.
`in_hooks_ms` is the time that a task spends in our hooks, where it waits until its monitor watches,
and until that has read the last figures: all that is added to it, on a machine with a core to
spare. `extra_wall_ms` is the difference of whole runs, per task. `monitor_pss_bytes` is the
monitor's share of the host's memory as the task ends, `monitor_peak_bytes` its own count of its
peak, `task_growth_bytes` what the task's process grew by over the start of its monitor.

    python benchmarks/airflow_tasks.py --pairs 5 --json airflow_tasks.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.airflow.engine import Airflow, installed  # noqa: E402 - the path comes first
from tracer_hooks.store import Store  # noqa: E402

WALL_MS, MEMORY_BYTES = 50.0, 25 * 2**20
DAG = """
import json, os, resource, time
from datetime import datetime, timezone
try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow.decorators import task
    from airflow.models.dag import DAG
from tracer_hooks_airflow import observation

spent, monitors, growth = [], [], []

def pss(pid):
    with open(f"/proc/{{pid}}/smaps_rollup") as file:
        return 1024 * sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def monitor():  # the process whose command line has our pid after --pid
    for name in sorted(filter(str.isdigit, os.listdir("/proc")), key=int, reverse=True):
        try:
            with open(f"/proc/{{name}}/cmdline") as file:
                words = file.read().split(chr(0))
        except OSError:
            continue
        if "attach" in words and words[words.index("--pid") + 1] == str(os.getpid()):
            return name

def timed(function):
    def wrapper(*args, **kwargs):
        begin = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent.append(time.perf_counter() - begin)
    return wrapper

def begin(*args, begin=timed(observation.begin)):
    before = resident()
    try:
        return begin(*args)
    finally:
        growth.append(resident() - before)

def end(*args, end=timed(observation.end)):
    if {work} > 0:
        monitors.append(pss(monitor()))
    end(*args)

observation.begin, observation.end = begin, end
start = datetime(2024, 1, 1, tzinfo=timezone.utc)
with DAG("many", schedule=None, start_date=start, catchup=False) as dag:
    @task
    def nothing(number):
        time.sleep({work})
        return number
    for number in range({tasks}):
        nothing.override(task_id=f"task_{{number}}")(number)

if __name__ == "__main__":
    def cpu():
        used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(u.ru_utime + u.ru_stime for u in used)
    before, begin = cpu(), time.perf_counter()
    dag.test()
    print("\\n" + json.dumps({{"wall_s": time.perf_counter() - begin, "cpu_s": cpu() - before,
                               "spent_s": spent, "monitors": monitors, "growth": growth}}))
"""


def run_once(airflow: Airflow, dags: str) -> dict[str, Any]:
    """One run of the DAG, with the listener for `dags`."""
    done = airflow.run(str(airflow.home / "dags" / "many.py"), dags=dags, ingest="False")
    if done.returncode:
        sys.exit(f"Airflow {airflow.major}: the run went wrong:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def measure(major: int, tasks: int, pairs: int, work_s: float) -> dict[str, Any]:
    """Figures of one major, for tasks that last `work_s`."""
    with tempfile.TemporaryDirectory(prefix="tracer-bench-") as folder:
        airflow = Airflow(major, Path(folder) / "home")
        dags = airflow.home / "dags"
        dags.mkdir()
        (dags / "many.py").write_text(DAG.format(tasks=tasks, work=work_s))
        airflow.env["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)
        bare, traced = [], []
        for number in range(pairs + 1):
            both = run_once(airflow, ""), run_once(airflow, "many")
            if number:  # the first pair warms up
                bare.append(both[0])
                traced.append(both[1])
        rows = Store(airflow.store).table("tasks").to_pylist()
    assert len(rows) == tasks * (pairs + 1), "one record for each task"
    in_hooks = [sum(run["spent_s"]) / tasks * 1e3 for run in traced]
    extra = [(t["wall_s"] - b["wall_s"]) / tasks * 1e3 for b, t in zip(bare, traced, strict=True)]
    ratios = [t["wall_s"] / b["wall_s"] for b, t in zip(bare, traced, strict=True)]
    found = {
        "in_hooks_ms": spread(in_hooks),
        "extra_wall_ms": spread(extra),
        "wall_ratio": spread(ratios),
        "monitor_cpu_ms": spread([row["observer_cpu_s"] * 1e3 for row in rows]),
        "monitor_peak_bytes": spread([row["observer_memory_bytes"] for row in rows]),
        "task_growth_bytes": spread([size for run in traced for size in run["growth"]]),
    }
    sizes = [size for run in traced for size in run["monitors"]]
    return found | ({"monitor_pss_bytes": spread(sizes)} if sizes else {})


def show(name: str, figures: dict[str, Any]) -> None:
    """Print them, and whether they keep the budget."""
    for figure, values in figures.items():
        scale, unit = (2**20, "MiB") if figure.endswith("bytes") else (1, "")
        shown = "  ".join(f"{key} {value / scale:.2f}" for key, value in values.items())
        print(f"{name}  {figure:20} {shown} {unit}")
    wall, memory = figures["in_hooks_ms"], figures["monitor_peak_bytes"]
    print(f"{name}  at most {WALL_MS:g} ms a task: {wall['max'] <= WALL_MS}")
    print(f"{name}  at most 25 MiB a monitor: {memory['max'] <= MEMORY_BYTES}", flush=True)


def spread(values: list[float]) -> dict[str, float]:
    """min, median and max."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def main() -> None:
    """Measure every major that is installed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--work", type=float, nargs="+", default=[0.0, 0.3], help="s")
    parser.add_argument("--majors", type=int, nargs="+", default=[3, 2])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {}
    for major in options.majors:
        if installed(major) is None:
            print(f"Airflow {major}: not in .venvs/airflow-{major} (make test-airflow)")
            continue
        for work_s in options.work:
            name = f"Airflow {major}, tasks of {work_s:g} s"
            found[name] = measure(major, options.tasks, options.pairs, work_s)
            show(name, found[name])
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
