"""Airflow: a Python module with the arguments of each task, pool slots among them.

`pool_slots` counts cores: it is for a pool with as many slots as its workers have cores. The
`executor_config` is that of the Kubernetes executor; other executors ignore it. CPU has no limit,
so that a burst may use what is free; memory has one, equal to its request.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracer_hooks.tuning.requests import MIB, Request, header, requests

if TYPE_CHECKING:
    from tracer_hooks.analysis.sizing import Sizing

_PREAMBLE = """\
# In a DAG file:  BashOperator(task_id="align", ..., **SIZES["align"])
from datetime import timedelta

from kubernetes.client import models as k8s


def _pod(requests, limits):
    resources = k8s.V1ResourceRequirements(requests=requests, limits=limits)
    container = k8s.V1Container(name="base", resources=resources)
    return {"pod_override": k8s.V1Pod(spec=k8s.V1PodSpec(containers=[container]))}


SIZES = {"""


def render(sizing: Sizing) -> str:
    """A module whose `SIZES` has keyword arguments of an operator by step."""
    lines = [f"# {line}" for line in header(sizing, "Requests")]
    lines.append(_PREAMBLE)
    for request in requests(sizing):
        lines += [f"    # {note}" for note in request.notes]
        lines += [f"    {json.dumps(request.step)}: {{"]
        lines += [f"        {json.dumps(name)}: {value}," for name, value in _arguments(request)]
        lines.append("    },")
    return "\n".join([*lines, "}"]) + "\n"


def _arguments(request: Request) -> list[tuple[str, str]]:
    arguments, asked, limits = [], {}, {}
    if request.cpus is not None:
        arguments.append(("pool_slots", str(request.cpus)))
        asked["cpu"] = str(request.cpus)
    memory, minutes = request.memory(MIB), request.minutes()
    if memory is not None:
        asked["memory"] = limits["memory"] = f"{memory}Mi"
    if asked:
        arguments.append(("executor_config", f"_pod({json.dumps(asked)}, {json.dumps(limits)})"))
    if minutes is not None:
        arguments.append(("execution_timeout", f"timedelta(minutes={minutes})"))
    if request.retry:
        # The same pod is asked for again: a retry helps where another task was to blame.
        arguments.append(("retries", "2"))
    return arguments
