"""What the pages look like: templates filled with what runs now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import jinja2

from tracer_hooks.report import units
from tracer_hooks.server.watching import STALE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracer_hooks.server.watching import Watching

_FOLDER = Path(__file__).with_name("pages")
_ASSETS = {"live.css": "text/css", "live.js": "text/javascript"}
_MOST_TASKS = 100
_MOST_RUNS = 50
_WAITS = {
    "cpu": "on a CPU",
    "runnable": "ready, no free core",
    "disk": "disk",
    "network": "network",
    "idle": "idle",
    None: units.UNKNOWN,
}


class Looks:
    """Fills the templates. `alerts` says what is wrong now: texts, with links to the evidence."""

    def __init__(self, store: str, alerts: Callable[[], list[tuple[str, str]]]) -> None:
        self._store, self._alerts = store, alerts
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )
        self._templates.filters.update(
            duration=units.duration,
            size=units.size,
            cores=units.cores,
            waits=lambda name: _WAITS.get(name, name),
            urlencode_all=lambda text: quote(text, safe=""),
        )
        self._assets = {
            name: ((_FOLDER / name).read_bytes(), kind) for name, kind in _ASSETS.items()
        }

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """A file that pages load, with its type."""
        return self._assets.get(name)

    def now(self, watching: Watching, wanted: Mapping[str, str], whole: bool) -> str:
        """What runs: the page, or only its part that changes. `wanted`: pipeline, step, host."""
        runs, tasks = watching.now()
        tasks = [t for t in tasks if all(getattr(t, n) == v for n, v in wanted.items())]
        if wanted:
            runs = [run for run in runs if any(task.run_id == run.run_id for task in tasks)]
        stored = [] if wanted else _newest(watching, {run.run_id for run in runs})
        age = watching.age_s()
        query = "?" + urlencode(wanted) if wanted else ""
        return self._fill(
            "index.html.jinja" if whole else "now.html.jinja",
            title="what runs",
            kind="now",
            root="./",
            store=self._store,
            fragment="./now" + query,
            every_ms=int(max(1.0, watching.interval_s) * 2000),
            healthy=age < STALE_S + 2 * watching.interval_s,
            age_s=age,
            alerts=self._alerts(),
            evidence=", ".join(f"{name} {value}" for name, value in wanted.items()),
            runs=runs[:_MOST_RUNS],
            tasks=tasks[:_MOST_TASKS],
            more_tasks=max(0, len(tasks) - _MOST_TASKS),
            stored=stored[:_MOST_RUNS],
            more_stored=max(0, len(stored) - _MOST_RUNS),
        )

    def run(self, run_id: str, version: str, state: str) -> str:
        """The page of a run: what it does, and its report in a frame."""
        name = quote(run_id, safe="")
        return self._fill(
            "run.html.jinja",
            title=run_id,
            kind="run",
            root="../",
            run_id=run_id,
            version=version,
            version_url=f"./{name}/version",
            report_url=f"./{name}/report",
            state=state,
        )

    def state(self, watching: Watching, run_id: str) -> str:
        """One line on how far a run is."""
        run = watching.run(run_id)
        if run is None:
            return f"{run_id}: ended"
        ended = sum(run.ended.values())
        failed = run.ended.get("failed", 0) + run.ended.get("lost", 0)
        parts = [f"{units.plural(run.running, 'task')} running", f"{ended} ended"]
        if failed:
            parts.append(f"{failed} failed")
        state = f"on for {units.duration(run.elapsed_s)}" if run.active else "ended"
        return f"{run.pipeline or run_id}: {state}, {', '.join(parts)}"

    def _fill(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(**values)


def _newest(watching: Watching, followed: set[str]) -> list[str]:
    stored = watching.stored()
    return sorted((run for run in stored if run not in followed), key=stored.__getitem__)[::-1]
