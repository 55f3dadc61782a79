"""Task cards from Snakemake's jobs: who a job is, and what it asked for."""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import Any

from snakemake_executor_plugin_tracer.sizes import total_bytes
from tracer_hooks.adapter import TaskCard

MB = 1_000_000  # Snakemake's mem_mb and disk_mb are powers of ten, its mem_mib are powers of two
_PLAIN = re.compile(r"[^\s,=\"\[\]]+")
# Columns of their own, or nobody's business (where a node keeps its temporary files).
_NOT_TAGS = {"mem", "mem_mb", "mem_mib", "disk", "disk_mb", "disk_mib", "runtime", "tmpdir"}
_KINDS = ("notebook", "script", "wrapper", "cwl", "template_engine", "shell", "run")


def task_id(job: Any) -> str:
    """A name that is the same for every attempt of a job and for no other job of the run.

    The rule and its wildcards: `map:sample=A,lane=1`, or just `all`. A value that could be taken
    for more than itself is quoted.
    """
    wildcards = job.wildcards_dict or {}
    rule = str(job.rule.name)
    if not wildcards:
        return rule
    return rule + ":" + ",".join(f"{key}={_value(value)}" for key, value in wildcards.items())


def task_name(job: Any) -> str:
    """For people: the rule and the values of its wildcards, `map A 1`."""
    return " ".join([str(job.rule.name), *map(str, (job.wildcards_dict or {}).values())])


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def kind(job: Any) -> str:
    """What the rule has: shell, script, run, notebook, wrapper, cwl or template_engine."""
    for name in _KINDS:
        if getattr(job, f"is_{name}", False):
            return name
    return "none"


def requested(resources: dict[str, Any]) -> dict[str, Any]:
    """The requests that have columns of their own, out of a job's resources."""
    memory, disk = _number(resources.get("mem_mb")), _number(resources.get("disk_mb"))
    minutes = _number(resources.get("runtime"))
    return {
        "cpus_requested": _number(resources.get("_cores")),
        "memory_requested_bytes": None if memory is None else int(memory * MB),
        "disk_requested_bytes": None if disk is None else int(disk * MB),
        "time_requested_s": None if minutes is None else minutes * 60,
    }


def _number(value: object) -> float | None:
    """The value, if it is a number: a resource can also be a text, or not yet known."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if usable else None  # type: ignore[arg-type]


def tags(job: Any, resources: dict[str, Any], jobid: int | None) -> dict[str, str]:
    """Everything else: job id, kind, wildcards and the other resources."""
    found = {"kind": kind(job)}
    if jobid is not None:
        found["jobid"] = str(jobid)
    if job.is_service:  # Snakemake ends it when nobody needs it any more: cancelled is its success
        found["service"] = "true"
    for key, value in (job.wildcards_dict or {}).items():
        found[f"wildcard.{key}"] = str(value)
    for key, value in resources.items():
        if not key.startswith("_") and key not in _NOT_TAGS and value is not None:
            found[f"resource.{key}"] = str(value)
    return found


def outputs(job: Any) -> list[str]:
    """The files whose sizes count as output; pipes and services are none."""
    transient = getattr(job, "pipe_or_service_output", ())
    paths = [str(path) for path in job.output if path not in transient]
    # They travel as arguments: past this length the command line is worth more than the sizes.
    return paths if sum(map(len, paths)) < 50_000 and len(paths) <= 1000 else []


def container_image(job: Any) -> str | None:
    """The image that the job runs in; None where containers are not used."""
    methods = job.dag.workflow.deployment_settings.deployment_method
    used = any(getattr(method, "name", "") == "APPTAINER" for method in methods)
    return str(job.container_img_url) if used and job.container_img_url else None


def pipeline_name(snakefile: str | None) -> str | None:
    """What people call a workflow: the folder of its Snakefile, or the Snakefile's own name.

    `rnaseq/workflow/Snakefile` and `rnaseq/Snakefile` are `rnaseq`, `mapping.smk` is `mapping`.
    """
    if not snakefile:
        return None
    path = PurePath(snakefile)
    if path.stem.lower() not in ("snakefile", "main"):
        return path.stem
    folders = [part for part in path.parts[:-1] if part.strip("/")]
    if folders and folders[-1] == "workflow":
        folders.pop()
    return folders[-1] if folders else path.stem


def task_card(
    job: Any,
    *,
    run_id: str,
    pipeline: str | None,
    jobid: int | None,
    submitted_at: float | None,
) -> TaskCard:
    """The card of the job's present attempt."""
    resources = dict(job.resources.items())
    wildcards = job.wildcards_dict or {}
    return TaskCard(
        run_id=run_id,
        task_id=task_id(job),
        attempt=int(job.attempt or 1),
        pipeline=pipeline,
        engine="snakemake",
        step=str(job.rule.name),
        task_name=task_name(job),
        sample=str(wildcards["sample"]) if "sample" in wildcards else None,
        tags=tags(job, resources, jobid),
        container_image=container_image(job),
        input_bytes=total_bytes(map(str, job.input)),
        submitted_at=submitted_at,
        **requested(resources),
    )
