"""The pages inside Airflow: a DAG run's report, and one task instance's record.

They are made by `tracer-hooks` in a process of its own, so that the web server loads neither
DuckDB nor pandas, and a report that takes long holds up nothing. Knows no web framework.
"""

from __future__ import annotations

import html
import os
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "/tracer-hooks"
_TIMEOUT_S = 120
_COLUMNS = "120"
_MOST_DIGITS = 9
# Each takes a core and hundreds of MB: who loads pages in a loop is to wait, not the scheduler.
_AT_ONCE = threading.BoundedSemaphore(2)
_NO_RECORD = (
    "Nothing is recorded of this yet. The listener observes the DAGs that [tracer_hooks] dags"
    " names; @traced and @task.traced observe the tasks that they decorate."
)


@dataclass(frozen=True)
class Page:
    """An answer: HTTP status and an HTML document."""

    status: int
    body: str


def run_path(dag_id: str, run_id: str) -> str:
    """The path of a DAG run's report, below the server's root."""
    return f"{PREFIX}/run?{_query({'dag_id': dag_id, 'run_id': run_id})}"


def task_path(dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> str:
    """The path of a task instance's record; `map_index` -1: not mapped, `try_number` 0: last."""
    asked = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}
    return f"{PREFIX}/task?{_query(asked)}&map_index={map_index}&try_number={try_number}"


def run_page(asked: Mapping[str, str]) -> Page:
    """The report of a DAG run; `asked` has `dag_id` and `run_id`."""
    from tracer_hooks_airflow.identity import run_key

    run = run_key(asked.get("dag_id", ""), asked.get("run_id", ""))
    return _made(["report", "--format", "html"], run)


def task_page(asked: Mapping[str, str]) -> Page:
    """The record of a task instance; `asked` as in `task_path`."""
    from tracer_hooks_airflow.identity import run_key, task_key

    dag_id, run_id = asked.get("dag_id", ""), asked.get("run_id", "")
    index = asked.get("map_index", "")
    task = task_key(asked.get("task_id", ""), _number(index, -1))
    arguments = ["show"]
    if _number(asked.get("try_number", ""), 0):
        arguments += ["--attempt", asked["try_number"]]
    made = _made(arguments, run_key(dag_id, run_id), task)
    if made.status != 200:
        return made
    report = html.escape(run_path(dag_id, run_id).removeprefix(PREFIX + "/"), quote=True)
    return Page(
        200,
        _document(
            task,
            f'<p><a href="{report}">The report of the whole run</a></p>'
            f'<pre class="record">{html.escape(made.body)}</pre>',
        ),
    )


def _number(text: str, otherwise: int) -> int:
    """A number of a query string, or what holds where that is none."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else otherwise


def _made(options: list[str], *names: str) -> Page:
    """What a command of tracer-hooks prints, or a page that says why there is nothing.

    `names` come from who asks: none of them is taken for an option.
    """
    from tracer_hooks.isolated import isolated
    from tracer_hooks_airflow.settings import settings

    command = isolated(_COMMAND, *options)
    if not _AT_ONCE.acquire(timeout=_TIMEOUT_S):
        return Page(503, _document("tracer-hooks", "<p>Too many reports are being made.</p>"))
    try:
        command += ["--store", str(settings().store), "--", *names]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False,
            timeout=_TIMEOUT_S, env={**os.environ, "COLUMNS": _COLUMNS, "NO_COLOR": "1"},
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return Page(500, _document("tracer-hooks", f"<p>{html.escape(str(error))}</p>"))
    finally:
        _AT_ONCE.release()
    if done.returncode == 0:
        return Page(200, done.stdout)
    said = (done.stderr.strip().splitlines() or ["no answer"])[-1]
    text = f"<p>{html.escape(_NO_RECORD)}</p><p><code>{html.escape(said)}</code></p>"
    return Page(404, _document("No record", text))


_COMMAND = "from tracer_hooks.cli import main\nsys.exit(main())"


def _query(asked: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items())


def _document(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)} · tracer-hooks</title>
<meta name="viewport" content="width=device-width">
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; }}
  pre {{ font: 13px/1.4 ui-monospace, monospace; overflow-x: auto; }}
</style></head>
<body>{body}</body></html>
"""
