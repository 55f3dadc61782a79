"""A few tasks that one process can run: `python small.py`, `airflow dags test small`."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import datetime, timezone
from pathlib import Path

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow.decorators import task
    from airflow.models.dag import DAG

from tracer_hooks_airflow import traced

from airflow.exceptions import AirflowSkipException


def opened(process: Path) -> list[Path]:
    found = []
    for entry in (process / "fd").iterdir():
        with contextlib.suppress(OSError):  # closed since it was listed
            found.append(entry.readlink())
    return found


with DAG(
    "small", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False
) as dag:

    @traced(cpus=2)
    @task
    def above() -> int:
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        return os.getpid()

    @task
    @traced
    def below(value: int) -> int:
        return value + 1

    @task.traced
    def skipped() -> None:
        raise AirflowSkipException("not today")

    @task
    def plain(value: int) -> None:
        Path(os.environ["EVERY_KIND_MARKS"], "done").write_text(str(value))

    @task
    @traced
    def monitor_killed(value: int) -> int:
        killed = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"attach" in words and str(os.getpid()).encode() in words:
                while not any(file.suffix == ".jsonl" for file in opened(folder)):
                    time.sleep(0.01)  # it has only begun
                os.kill(int(folder.name), 9)
                killed += 1
        assert killed == 1, killed
        return value

    skipped()
    plain(monitor_killed(below(above())))

if __name__ == "__main__":
    run = dag.test()
    print("state:", str(run.state))
