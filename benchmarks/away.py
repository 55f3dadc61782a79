"""A database, a collector or a webhook that is away for a minute while a run goes on.

    python benchmarks/away.py [database|collector|webhook] [--seconds 60] [--tasks 200]

Tasks run one after the other. Meanwhile a real PostgreSQL is kept up to date by `export postgres
--follow`, a real OpenTelemetry Collector by `serve --otlp`, or a webhook is told by `serve
--alerts` of each step that fails and of its end. The server is killed while data is on its way, and
started again so many seconds later. Then it must have all that the store has, once. Tasks take as
long while it is away as before and after: their median durations are compared. Ends with an error
if anything is lost or doubled. Without a word: all three.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from tests.alert.receivers import Webhook, hooked  # noqa: E402 - after the path
from tests.otlp.real_collector import Collector  # noqa: E402 - after the path
from tests.otlp.receiver import attributes  # noqa: E402 - after the path
from tests.server.serving import until  # noqa: E402 - after the path
from tests.servers.daemon import answers, server_folder  # noqa: E402 - after the path
from tests.servers.postgres import Postgres  # noqa: E402 - after the path
from tracer_hooks.store import Store  # noqa: E402 - after the path

PATIENCE_S = 180.0
TABLES = ("tasks", "processes", "tools", "readings", "hosts", "events")
PROGRAM = str(Path(sys.executable).with_name("tracer-hooks"))
STEP_SIZE = 20  # tasks; a step fails from five on, and more than a hundred steps are folded
ALERTS = """
notify = [{address}]
[rules.failure_rate]
window_s = 20
keep_firing_s = 0
"""


class Peer(Protocol):
    """Somebody who may be away. `arguments`: the command that keeps it up to date."""

    arguments: list[str]
    fails: bool  # whether the tasks are to fail

    def leave(self) -> None:
        """Be gone at once, in the midst of things."""

    def come_back(self) -> None:
        """Be there again, with what it had."""

    def has(self) -> Counter[str]:
        """How often it has each thing, or of each kind."""

    def should_have(self, store: Store) -> Counter[str]:
        """The same, as the store has it."""

    def end(self) -> None:
        """Be gone for good."""


class Database:
    """PostgreSQL: how many rows each table has."""

    fails = False

    def __init__(self, folder: Path) -> None:
        self._server = Postgres(folder)
        self._url = self._server.url("runs")
        self.arguments = ["export", "postgres", self._url, "--all", "--follow", "1"]
        self.come_back = self._server.start
        self.end = self._server.stop

    def leave(self) -> None:
        self._server.stop(signal.SIGQUIT)  # as in a crash

    def has(self) -> Counter[str]:
        query = "SELECT count(*) FROM tracer_hooks."
        with psycopg.connect(self._url) as connection:
            rows = {name: connection.execute((query + name).encode()).fetchone() for name in TABLES}
        return Counter({name: row[0] for name, row in rows.items() if row})

    def should_have(self, store: Store) -> Counter[str]:
        return Counter({name: store.table(name).num_rows for name in TABLES})


class OtelCollector:
    """An OpenTelemetry Collector: spans, by their ids, and how many attempts its counters have.

    What is sent again has the ids that it had: a span is doubled where one thing has two of them.
    """

    fails = False

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._server = Collector(folder)
        self._server.start()
        self.arguments = [
            "serve",
            "--port",
            "0",
            "--otlp",
            self._server.url,
            "--otlp-interval",
            "5",
        ]
        self.come_back = self._server.start
        self.end = self._server.stop

    def leave(self) -> None:
        self._server.stop(signal.SIGKILL)

    def has(self) -> Counter[str]:
        received = self._server.received()
        spans = {span.span_id: attributes(span) for span in received.spans}
        tasks = [at["cicd.pipeline.task.run.id"] for at in spans.values() if _is_task(at)]
        metric = received.metric("tracer.task.attempts")
        counted = sum(p.as_double for p in metric.sum.data_points) if metric else 0
        return Counter([f"task {task}" for task in tasks]) + Counter(
            processes=len(spans) - len(tasks), counted=round(counted)
        )

    def should_have(self, store: Store) -> Counter[str]:
        tasks = store.table("tasks").select(["task_id", "attempt"]).to_pylist()
        starts = store.table("processes")["started_at"]
        return Counter(f"task {row['task_id']}.{row['attempt']}" for row in tasks) + Counter(
            # A process whose start is not known has no span.
            processes=len(starts) - starts.null_count,
            counted=len(tasks),
        )


def _is_task(at: dict[str, Any]) -> bool:
    return "cicd.pipeline.task.run.id" in at


class Hook:
    """A webhook: what it was told, message by message."""

    fails = True

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._hook = Webhook()
        self._open = ExitStack()
        self.come_back()
        settings = folder / "alerts.toml"
        settings.write_text(ALERTS.format(address=json.dumps(self._hook.address)))
        self.arguments = ["serve", "--port", "0", "--alerts", str(settings), "--hold", "1"]
        self.leave = self.end = self._open.close

    def come_back(self) -> None:
        self._open.enter_context(hooked(self._hook))

    def has(self) -> Counter[str]:
        return Counter(self._hook.titles())

    def should_have(self, store: Store) -> Counter[str]:
        failing = [f"away: {step} fails" for step in set(store.table("tasks")["step"].to_pylist())]
        return Counter([*failing, *(f"Resolved: {title}" for title in failing)])


PEERS: dict[str, Callable[[Path], Peer]] = {
    "database": Database, "collector": OtelCollector, "webhook": Hook,
}  # fmt: skip


def main() -> int:
    """Do it, and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("who", nargs="*", help="database, collector, webhook")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--tasks", type=int, default=200, help="before and after, together")
    parser.add_argument("--json")
    options = parser.parse_args()
    if unknown := set(options.who) - set(PEERS):
        parser.error(f"no {', '.join(unknown)}: choose from {', '.join(PEERS)}")
    found = {}
    for who in options.who or PEERS:
        with server_folder("away") as folder, tempfile.TemporaryDirectory() as made:
            found[who] = measured(PEERS[who](folder), Path(made), options.seconds, options.tasks)
        print(json.dumps({who: found[who]}, indent=2), flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(found))
    return 1 if any(one["lost"] or one["doubled"] for one in found.values()) else 0


def measured(peer: Peer, folder: Path, away_s: float, tasks: int) -> dict[str, Any]:
    """The figures of one such run."""
    store = folder / "store"
    run = (task(store, number, peer.fails) for number in itertools.count())
    next(run)
    said, url = (folder / "said").open("w+"), (folder / "url").open("w+")
    follower = subprocess.Popen(
        [PROGRAM, *peer.arguments, "--store", str(store), "--prices", "generic"],
        stdin=subprocess.DEVNULL, stdout=url, stderr=said,
    )  # fmt: skip
    try:
        if peer.arguments[0] == "serve":  # an alert is about what happens from its first look on
            until(lambda: "serving" in Path(url.name).read_text())
            address = Path(url.name).read_text().split()[1]
            until(lambda: answers(f"{address}health"))
        before = list(itertools.islice(run, tasks // 2))
        gone = time.monotonic()
        peer.leave()
        during = [next(run)]
        while time.monotonic() - gone < away_s:
            during.append(next(run))
        peer.come_back()
        was_away = time.monotonic() - gone
        after = list(itertools.islice(run, tasks // 2))
        started = 1 + len(before) + len(during) + len(after)
        after += itertools.islice(run, -started % STEP_SIZE)  # no step is left half
        back = time.monotonic()
        expected = peer.should_have(Store(store))
        while (has := peer.has()) != expected and time.monotonic() - back < PATIENCE_S:
            time.sleep(1)
        took = time.monotonic() - back
        assert follower.poll() is None, "who keeps it up to date has ended"
    finally:
        follower.terminate()
        follower.wait()
        peer.end()
    said.seek(0)
    return {
        "away_s": round(was_away, 1),
        "tasks_before_during_after": [len(before), len(during), len(after)],
        "median_task_s_before_during_after": [
            round(statistics.median(part), 3) for part in (before, during, after)
        ],
        "has": _shown(has),
        "lost": (expected - has).total(),
        "lost_first": sorted(expected - has)[:5],
        "doubled": (has - expected).total(),
        "complete_after_last_task_s": round(took, 1),
        "said": len(said.read().splitlines()),
    }


def _shown(has: Counter[str]) -> dict[str, int]:
    """What it has, by kind."""
    kinds: Counter[str] = Counter()
    for name, count in has.items():
        kinds[name.partition(" ")[0] if " " in name else name] += count
    return dict(kinds)


def task(store: Path, number: int, fails: bool) -> float:
    """Run a task with a few helpers; how long it took."""
    begun = time.monotonic()
    subprocess.run(
        [PROGRAM, "run", "--store", str(store), "--run", "run", "--pipeline", "away",
         "--step", f"step{number // STEP_SIZE}", "--task", f"task{number}", "--",
         "sh", "-c", f"sleep 0.05; true; echo | cat > /dev/null; exit {int(fails)}"],
        check=not fails, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
