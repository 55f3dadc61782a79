"""What observing adds to an Airflow task: wall time, CPU and memory, on both majors.

`dag.test()` runs a DAG of trivial Python tasks in one process, alternately without the listener and
with it, so that a machine that gets slower or faster in between bends both alike. `in_hooks_ms` is
the time that a task spends in our hooks, where it waits for its monitor to watch and to seal: all
that is added to it, on a machine with a core to spare. `extra_wall_ms` is the difference of whole
runs, per task. Memory is that of the monitor.

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
import json, resource, time
from datetime import datetime, timezone
try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow.decorators import task
    from airflow.models.dag import DAG
from tracer_hooks_airflow import observation

spent = []

def timed(function):
    def wrapper(*args, **kwargs):
        begin = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent.append(time.perf_counter() - begin)
    return wrapper

observation.begin = timed(observation.begin)
observation.end = timed(observation.end)
start = datetime(2024, 1, 1, tzinfo=timezone.utc)
with DAG("many", schedule=None, start_date=start, catchup=False) as dag:
    @task
    def nothing(number):
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
                               "spent_s": spent}}))
"""


def run_once(airflow: Airflow, dags: str) -> dict[str, Any]:
    """One run of the DAG, with the listener for `dags`."""
    done = airflow.run(str(airflow.home / "dags" / "many.py"), dags=dags, ingest="False")
    if done.returncode:
        sys.exit(f"Airflow {airflow.major}: the run went wrong:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def measure(major: int, tasks: int, pairs: int) -> dict[str, Any]:
    """Figures of one major."""
    with tempfile.TemporaryDirectory(prefix="tracer-bench-") as folder:
        airflow = Airflow(major, Path(folder) / "home")
        dags = airflow.home / "dags"
        dags.mkdir()
        (dags / "many.py").write_text(DAG.format(tasks=tasks))
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
    memory = [row["observer_memory_bytes"] for row in rows]
    return {
        "in_hooks_ms": spread(in_hooks),
        "extra_wall_ms": spread(extra),
        "wall_ratio": spread(ratios),
        "monitor_cpu_ms": spread([row["observer_cpu_s"] * 1e3 for row in rows]),
        "monitor_memory_bytes": spread(memory),
    }


def spread(values: list[float]) -> dict[str, float]:
    """min, median and max."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def main() -> None:
    """Measure every major that is installed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {}
    for major in (3, 2):
        if installed(major) is None:
            print(f"Airflow {major}: not in .venvs/airflow-{major} (make test-airflow)")
            continue
        figures = found[f"airflow-{major}"] = measure(major, options.tasks, options.pairs)
        for name, values in figures.items():
            scale, unit = (2**20, "MiB") if name.endswith("bytes") else (1, "")
            shown = "  ".join(f"{key} {value / scale:.2f}" for key, value in values.items())
            print(f"Airflow {major}  {name:22} {shown} {unit}")
        wall, memory = figures["in_hooks_ms"], figures["monitor_memory_bytes"]
        print(f"Airflow {major}  at most {WALL_MS} ms a task: {wall['median'] <= WALL_MS}")
        print(f"Airflow {major}  at most 25 MiB a monitor: {memory['max'] <= MEMORY_BYTES}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
