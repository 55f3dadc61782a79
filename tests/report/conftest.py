"""Reports that several test files read; analysing takes longer than rendering."""

from __future__ import annotations

import pytest
from analysis.synthetic import RUN, one_task, sequencing_run, table, task

from tracer_hooks.analysis.summary import RunReport, summarise
from tracer_hooks.analysis.task import TaskReport, summarise_task

HOSTILE = [
    "[bold red]x[/bold red]",
    "a\nb\r\nc\td",
    "\x1b[31mred\x1b[0m\x07\x00",
    "\u202egnp.exe\u2066",
    "<script>alert(1)</script>",
    "a|b `c` *d* [e](f) _g_ # ~~h~~ $i$ &amp;",
    "日本語" * 30,
    "👩‍🔬" * 40,
    "x" * 5000,
    "word " * 500,
    "",
    "' OR 1=1; --",
    "../../etc/passwd",
    "%s %d {0} {name}",
]


@pytest.fixture(scope="session")
def report() -> RunReport:
    return summarise(sequencing_run(), RUN)


@pytest.fixture(scope="session")
def hostile() -> RunReport:
    """Every name in the run is hostile, and much is unknown."""
    tasks = [
        task(
            name, task_name=name, step=name, pipeline=name, host=name, user=name, capture=name,
            sample=name, status="failed", at=place, cpus_requested=8.0, spool=str(place),
            engine=name, process_count=500, short_process_count=400,
        )
        for place, name in enumerate(HOSTILE)
    ]  # fmt: skip
    tools = [
        {"task_id": name, "attempt": 1, "tool": name, "count": 9, "short_count": 9, "cpu_s": 1.0,
         "spool": str(place)}
        for place, name in enumerate(HOSTILE)
    ]  # fmt: skip
    events = [
        {"task_id": "x", "attempt": 1, "kind": "degraded", "detail": name} for name in HOSTILE
    ]
    runs = [
        {
            "pipeline": HOSTILE[4], "engine": HOSTILE[0], "engine_version": HOSTILE[1],
            "user": HOSTILE[2], "host": HOSTILE[3], "command": HOSTILE[5], "status": "failed",
        }
    ]  # fmt: skip
    tables = {"tasks": tasks, "tools": tools, "events": events, "runs": runs}
    run_id = HOSTILE[5]
    return summarise({name: table(name, rows, run_id) for name, rows in tables.items()}, run_id)


@pytest.fixture(scope="session")
def unknown() -> RunReport:
    """A task of which nothing was measured."""
    nothing = {name: None for name, value in task().items() if not isinstance(value, str)}
    row = {**task("t1"), **nothing, "attempt": 1, "status": "lost", "memory_source": None,
           "process_count_source": None, "capture": None}  # fmt: skip
    return summarise({"tasks": table("tasks", [row])}, RUN)


@pytest.fixture(scope="session")
def empty() -> RunReport:
    return summarise({}, RUN)


@pytest.fixture(scope="session")
def task_report() -> TaskReport:
    return summarise_task(one_task(), RUN, "t1")


@pytest.fixture(params=["report", "hostile", "unknown", "empty"])
def any_report(request: pytest.FixtureRequest) -> RunReport:
    found: RunReport = request.getfixturevalue(request.param)
    return found
