"""A DAG of real work: sequencing reads are simulated, checked, counted and summed up.

Copy it into the DAGs folder, or point AIRFLOW__CORE__DAGS_FOLDER at this folder. It needs nothing
but Airflow (2.11 or 3), tracer-hooks and gzip, and works in the folder that READS_QC names, or in
a temporary one.
"""

from __future__ import annotations

import gzip
import os
import random
import tempfile
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.dag import DAG
    from airflow.operators.bash import BashOperator

from tracer_hooks_airflow import traced

SAMPLES = ["ada", "grace", "rosalind", "tu"]
WORK = Path(os.environ.get("READS_QC") or Path(tempfile.gettempdir()) / "reads-qc")
K = 11

with DAG(
    "reads_qc",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 1, "retry_delay": timedelta(seconds=10)},
) as dag:

    @traced(cpus=1, memory="256M")
    @task
    def sequence(sample: str, reads: int = 20_000, length: int = 100) -> str:
        """Reads of a genome that depends on the sample's name, with errors."""
        chance = random.Random(sample)  # noqa: S311 - simulated reads are no secret
        genome = "".join(chance.choices("ACGT", k=200_000))
        WORK.mkdir(parents=True, exist_ok=True)
        path = WORK / f"{sample}.fq"
        with path.open("w") as file:
            for number in range(reads):
                start = chance.randrange(len(genome) - length)
                read = list(genome[start : start + length])
                read[chance.randrange(length)] = chance.choice("ACGT")
                file.write(f"@{number}\n{''.join(read)}\n+\n{'I' * length}\n")
        return str(path)

    # Asks for four cores and has one thread: the report says so.
    @traced(cpus=4, memory="2G")
    @task
    def count(path: str) -> dict[str, int]:
        """How often each word of K bases occurs, summed up."""
        words: Counter[str] = Counter()
        with gzip.open(f"{path}.gz", "rt") as file:
            for number, line in enumerate(file):
                if number % 4 == 1:
                    read = line.strip()
                    words.update(read[i : i + K] for i in range(len(read) - K + 1))
        common = sum(1 for times in words.values() if times >= 5)
        return {"words": len(words), "common": common}

    @task.traced(cpus=1)
    def summary(counts: list[dict[str, int]]) -> str:
        """A table of all samples."""
        rows = [f"{s}\t{c['words']}\t{c['common']}" for s, c in zip(SAMPLES, counts, strict=False)]
        path = WORK / "summary.tsv"
        path.write_text("\n".join(["sample\twords\tcommon", *rows]) + "\n")
        return str(path)

    paths = sequence.expand(sample=SAMPLES)
    # A shell that starts many short helpers, and a compressor: seen by the listener alone.
    packed = BashOperator.partial(
        task_id="pack",
        bash_command="""
            for start in $(seq 1 400 20000); do
                sed -n "$((start * 4 + 2))p" "$READS" | tr ACGT TGCA | rev | head -c 20 > /dev/null
            done
            gzip --keep --force "$READS"
        """,
        append_env=True,
    ).expand(env=paths.map(lambda path: {"READS": path}))
    counted = count.expand(path=paths)
    packed >> counted
    summary(counted)

if __name__ == "__main__":
    dag.test()
