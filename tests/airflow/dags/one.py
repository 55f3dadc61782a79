"""One task: `python one.py`."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow.decorators import task
    from airflow.models.dag import DAG

from tracer_hooks_airflow import traced

with DAG(
    "one", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False
) as dag:

    @traced
    @task
    def only() -> None:
        Path(os.environ["EVERY_KIND_MARKS"], "done").touch()

    only()

if __name__ == "__main__":
    run = dag.test()
    print("state:", str(run.state))
