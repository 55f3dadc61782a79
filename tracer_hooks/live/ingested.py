"""Attempts that became Parquet before anybody followed their spools, and what counts of them.

Run in a process of its own (`_main STORE STATE`, run ids as a JSON list on stdin), so that who
follows a store for weeks does not hold pyarrow in memory. Writes a JSON object a line,
`{"attempt": …}` or `{"run": …}`, for each that is not counted yet.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tracer_hooks.isolated import isolated
from tracer_hooks.live.attempt import Attempt
from tracer_hooks.live.state import identity
from tracer_hooks.store.layout import SUFFIX, Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

_TIMEOUT_S = 600


def uncounted(store: Path, state: Path, run_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What a child process finds. Raises OSError, ValueError, subprocess.SubprocessError."""
    done = subprocess.run(
        isolated(f"from {__name__} import _main\n_main(*sys.argv[1:])", str(store), str(state)),
        input=json.dumps(list(run_ids)),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ValueError(said[-1] if said else f"exit status {done.returncode}")
    for line in done.stdout.splitlines():
        yield json.loads(line)


def attempt_of(row: dict[str, Any]) -> Attempt:
    """The attempt of such a row, ended."""
    attempt = Attempt(row["run_id"], row["spool"])
    attempt.card = attempt.head = row
    attempt.sealed = row
    attempt.status = row.get("status") or "lost"
    attempt.totals = {name: float(row[name]) for name in row["totals"] if row.get(name) is not None}
    attempt.oom_kills = row["oom_kills"]
    attempt.degraded = [""] * row["degraded"]
    return attempt


def _main(store_path: str, state_path: str) -> None:
    from tracer_hooks.store.store import Store

    run_ids: list[str] = json.load(sys.stdin)
    store = Store(store_path, on_warning=lambda _: None)
    state = sqlite3.connect(f"file:{state_path}?mode=ro", uri=True, timeout=30)

    def counted(run_id: str, stem: str) -> bool:
        query = "SELECT 1 FROM counted WHERE id = ?"
        return state.execute(query, (identity(run_id, stem),)).fetchone() is not None

    for run_id in run_ids:
        for kind, row in _missing(store, run_id, counted):
            sys.stdout.write(json.dumps({kind: row}, default=_plain) + "\n")


def _missing(store: Any, run_id: str, counted: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    from tracer_hooks.live.attempt import TOTALS

    # What still has a spool is followed there, which knows more of it. Listed first: what is
    # ingested from here on is found the next time.
    followed = _spools(store.path, run_id)

    def missing(table: str) -> list[dict[str, Any]]:
        return [
            row
            for row in _rows(store.table(table, run_id))
            if row["spool"]
            and row["status"] != "running"
            and row["spool"] not in followed
            and not counted(run_id, row["spool"])
        ]

    for row in missing("runs"):
        yield "run", row | {"run_id": run_id}
    rows = missing("tasks")
    if not rows:
        return
    wanted = {row["spool"] for row in rows}
    tools: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(store.table("tools", run_id)):
        if row["spool"] in wanted:
            tools.setdefault(row["spool"], []).append(row)
    events = Counter(
        (row["spool"], row["kind"])
        for row in _rows(store.table("events", run_id, ["spool", "kind"]))
        if row["spool"] in wanted
    )
    for row in rows:
        stem = row["spool"]
        yield (
            "attempt",
            row
            | {
                "run_id": run_id,
                "totals": TOTALS,
                "tools": tools.get(stem, []),
                "oom_kills": events[stem, "oom"],
                "degraded": events[stem, "degraded"],
            },
        )


def _spools(root: Path, run_id: str) -> set[str]:
    """The names of the run's spools, as the tables have them."""
    folders = Layout(root).spool_folders().get(run_id, [])
    names: set[str] = set()
    for folder in folders:
        with suppress(FileNotFoundError):  # all that was in it has been ingested since
            names.update(path.name.removesuffix(SUFFIX) for path in folder.iterdir())
    return names


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="lossy")
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.timestamp()
    raise TypeError(f"{value!r} is no JSON")
