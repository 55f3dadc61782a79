"""What is written for each engine is what that engine reads; hostile names stay names."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import pytest
import yaml
from analysis.synthetic import GIB, MIB, sequencing_run, table, task

from tracer_hooks.analysis.sizing import Sizing, size_steps
from tracer_hooks.tuning import airflow, nextflow, slurm, snakemake
from tracer_hooks.tuning.formats import ENGINES, render_for
from tracer_hooks.tuning.table import as_json, render

HOSTILE = "a'b\"c\\\n}}; println \u202e ${x}"


@pytest.fixture(scope="module")
def sizing() -> Sizing:
    return size_steps(sequencing_run())


@pytest.fixture(scope="module")
def hostile() -> Sizing:
    rows = [task(f"t{i}", step=HOSTILE, memory_peak_bytes=100 * MIB) for i in range(4)]
    return size_steps({"tasks": table("tasks", rows)})


def fitted() -> Sizing:
    rows = [
        task(f"t{i}", input_bytes=(i + 1) * GIB, memory_peak_bytes=(i + 1) * GIB) for i in range(8)
    ]
    return size_steps({"tasks": table("tasks", rows)})


def test_nextflow(sizing: Sizing) -> None:
    text = nextflow.render(sizing)
    block = re.search(r"withName: 'trim_reads' \{(.*?)\n    \}", text, re.S)
    assert block
    assert "cpus = 1" in block[1]
    # 181,350,325 bytes and a quarter are 216.2 MiB: Nextflow's MB are powers of two.
    assert "memory = { 217.MB * task.attempt }" in block[1]
    assert "time = { 5.min * task.attempt }" in block[1]
    assert "errorStrategy" not in block[1]
    killed = re.search(r"withName: 'sort' \{(.*?)\n    \}", text, re.S)
    assert killed
    assert "'retry'" in killed[1]
    assert "wait_for_licence'" not in text
    assert "wait_for_licence (1)" in text  # it is said to be left alone
    assert "INPUT.size()" in nextflow.render(fitted())


def test_snakemake(sizing: Sizing) -> None:
    profile = yaml.safe_load(snakemake.render(sizing))
    assert profile["set-threads"]["align"] == 1
    # Snakemake's mem_mb are powers of ten.
    assert profile["set-resources"]["trim_reads"]["mem_mb"] == "227 * attempt"
    assert profile["retries"] == 2
    assert "fetch_reference" not in profile["set-threads"]


def test_slurm(sizing: Sizing) -> None:
    text = slurm.render(sizing)
    block = text[text.index("\n# trim_reads") :]
    assert "#SBATCH --cpus-per-task=1\n#SBATCH --mem=217M\n#SBATCH --time=0-00:05:00\n" in block
    assert all(line.startswith("#") for line in text.splitlines() if line)


def test_airflow(sizing: Sizing) -> None:
    models = pytest.importorskip("kubernetes.client").models
    sizes: dict[str, Any] = {}
    exec(airflow.render(sizing), sizes)  # noqa: S102 - it is ours, and a module to be pasted
    arguments = sizes["SIZES"]["trim_reads"]
    assert arguments["pool_slots"] == 1
    assert arguments["execution_timeout"].total_seconds() == 300
    pod = arguments["executor_config"]["pod_override"]
    assert isinstance(pod, models.V1Pod)
    (container,) = pod.spec.containers
    assert container.name == "base"
    assert container.resources.requests == {"cpu": "1", "memory": "217Mi"}
    assert container.resources.limits == {"memory": "217Mi"}


def test_hostile_names_stay_names(hostile: Sizing) -> None:
    for engine in ENGINES:
        text = render_for(engine, hostile)
        assert "\u202e" not in text
        assert "\nprintln" not in text
    tree = ast.parse(airflow.render(hostile))
    keys = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert HOSTILE in keys
    assert yaml.safe_load(snakemake.render(hostile)) is None
    assert {line[:1] for line in slurm.render(hostile).splitlines()} == {"#", ""}
    (name,) = re.findall(r"withName: '(.*)' \{", nextflow.render(hostile))
    pattern = name.replace("\\\\", "\\")  # what Groovy makes of it
    assert re.fullmatch(pattern, HOSTILE)


def test_the_table_and_its_json(sizing: Sizing) -> None:
    page = render(sizing, color=False, width=120)
    assert "left alone" in page
    document = json.loads(as_json(sizing))
    assert document["margins"]["memory"] == 0.25
    steps = {row["step"]: row for row in document["steps"]}
    assert steps["wait_for_licence"]["cpus"] is None
    assert steps["align"]["cpus"] == 1
