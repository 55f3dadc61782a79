"""One DAG with every way in which a task instance can go, for Airflow 2.11 and 3."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.sensors.python import PythonSensor
    from airflow.sdk import DAG, BaseOperator, setup, task, teardown
except ImportError:
    from airflow.decorators import setup, task, teardown
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.dag import DAG
    from airflow.operators.bash import BashOperator
    from airflow.sensors.python import PythonSensor

from sizes import STORM  # beside this file, which Airflow puts on the path
from tracer_hooks_airflow import traced

from airflow.exceptions import AirflowSkipException
from airflow.triggers.temporal import TimeDeltaTrigger


def burn(seconds: float) -> None:
    """CPU time of this process."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class DeferredOperator(BaseOperator):
    """Works, gives its place up for some seconds, and works again in another process."""

    def execute(self, context):  # noqa: ARG002 - Airflow's signature
        burn(0.3)
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=4)), method_name="resume")

    def resume(self, context, event=None):  # noqa: ARG002 - Airflow's signature
        burn(0.2)
        return "back"


def second_time(key: str) -> bool:
    """False at the first call in a run, then True."""
    mark = Path(os.environ["EVERY_KIND_MARKS"]) / key
    if mark.exists():
        return True
    mark.touch()
    return False


def key_of(ti) -> str:
    return f"{ti.task_id}-{ti.run_id}".replace("/", "_")


with DAG(
    "every_kind",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_tasks=16,
):
    BashOperator(task_id="shell", bash_command="head -c 3000000 /dev/zero | md5sum")
    BashOperator(task_id="shell_failed", bash_command="exit 3")
    BashOperator(
        task_id="storm",
        bash_command=f"i=0; while [ $i -lt {STORM} ]; do /bin/true; i=$((i+1)); done",
    )
    BashOperator(
        task_id="retried",
        bash_command='test "{{ ti.try_number }}" = 2',
        retries=1,
        retry_delay=timedelta(seconds=0.1),
    )
    BashOperator(
        task_id="timed_out", bash_command="sleep 60", execution_timeout=timedelta(seconds=1)
    )
    DeferredOperator(task_id="deferred")
    # Airflow 3 takes a sensor for killed whose turn comes again before its scheduler has noticed
    # that its process is gone; so it sleeps for longer than a loop of the scheduler on a busy host.
    PythonSensor(
        task_id="rescheduled",
        python_callable=lambda ti: second_time(key_of(ti)),
        mode="reschedule",
        poke_interval=15,
        priority_weight=100,
    )

    @task
    def plain() -> dict[str, int]:
        burn(0.2)
        return {"answer": 42}

    @task
    def received(value: dict[str, int]) -> None:
        assert value == {"answer": 42}, value

    received(plain())

    @task
    def mapped(number: int) -> int:
        return number * number

    @task
    def summed(values) -> int:
        total = sum(values)
        assert total == sum(n * n for n in range(20)), total
        return total

    summed(mapped.expand(number=list(range(20))))

    @traced(cpus=2, memory="1G", sample="above", tags={"team": "blue"})
    @task
    def traced_above() -> str:
        burn(0.1)
        return "above"

    @task
    @traced(sample="below")
    def traced_below() -> str:
        burn(0.1)
        return "below"

    @task.traced(cpus=1)
    def traced_native() -> str:
        burn(0.1)
        return "native"

    traced_above()
    traced_below()
    traced_native()

    @task
    def raised() -> None:
        raise ValueError("a secret")

    @task
    def skipped() -> None:
        raise AirflowSkipException("not today")

    @task
    def killed() -> None:
        os.kill(os.getpid(), 9)

    @task
    def exited() -> None:
        os._exit(5)

    @task
    def pool() -> int:
        from multiprocessing import current_process, get_context

        current_process().daemon = False  # else a worker of Airflow 2 may have no children
        with get_context("fork").Pool(4) as workers:
            workers.map(burn, [0.25] * 4, chunksize=1)
            # They end by themselves: Airflow 3's handler, which they inherit, ignores the SIGTERM
            # of Pool.terminate, which may then wait for them for ever.
            workers.close()
            workers.join()
        return 4

    @setup
    def opened() -> None:
        burn(0.05)

    @task
    def inside() -> None:
        burn(0.05)

    @teardown
    def closed() -> None:
        burn(0.05)

    opened() >> inside() >> closed()
    raised()
    skipped()
    killed()
    exited()
    pool()
