"""Each alert is fired and resolved by a real workload that deserves it, and not by its twin that
does the same in a decent way. Durations are shortened by settings; nothing else is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.alert.receivers import Webhook, hooked, mailed
from tests.alert.workloads import BUSY, GROW, confined, without_net_admin
from tests.server.serving import Served, end, run, served, until
from tests.servers.daemon import free_port
from tests.supervisor.memory_group import EAT, WAIT, make_group

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SHORT = """
notify = {notify}
[budgets]
spender = 0.00005
saver = 1000
[measure]
idle_share = 0.02
idle_window_s = 4
memory_window_s = 8
memory_horizon_s = 60
history_floor = 1.0
[rules.stalled]
threshold = 15
clear = 5
for_s = 0.5
[rules.idle_cores]
for_s = 1
keep_firing_s = 0
[rules.memory_limit]
for_s = 1
keep_firing_s = 0
[rules.oom_kill]
window_s = 8
[rules.failure_rate]
window_s = 15
keep_firing_s = 0
[rules.slow]
for_s = 0.5
[rules.capture_degraded]
for_s = 0.5
keep_firing_s = 0
"""
FAST = ("--interval", "0.3", "--hold", "1")


class Fired:
    """Waits for what a webhook is told of a step or pipeline."""

    def __init__(self, hook: Webhook) -> None:
        self._hook = hook

    def __call__(self, words: str) -> bool:
        return any(words in t and not t.startswith("Resolved") for t in self._hook.titles())

    def resolved(self, words: str) -> bool:
        return any(words in t and t.startswith("Resolved") for t in self._hook.titles())


@pytest.fixture
def hook() -> Webhook:
    return Webhook()


def settings(folder: Path, *notify: str) -> str:
    path = folder / "alerts.toml"
    path.write_text(SHORT.format(notify=list(notify)))
    return str(path)


def test_stalled_idle_slow_memory_and_cost(tmp_path: Path, hook: Webhook) -> None:
    store = tmp_path / "store"
    with hooked(hook) as told:
        file = settings(tmp_path, told.address)
        arguments = ("--alerts", file, "--prices", "generic", *FAST)
        with served(store, *arguments) as serve:
            fired = Fired(told)
            python = sys.executable
            workloads = {
                # deserving, and its twin
                "stuck": run(store, "sleep", "600", wait=False, step="stuck", pipeline="p"),
                "works": run(store, "bash", "-c", BUSY, wait=False, step="works", pipeline="p"),
                "hoard": run(
                    store, "sleep", "600", wait=False, step="hoard", cpus="4", pipeline="spender"
                ),
                "use": run(
                    store, "bash", "-c", BUSY, wait=False, step="use", cpus="4", pipeline="saver"
                ),
                "swell": run(
                    store, python, "-c", GROW, "10", "4", "900", wait=False, step="swell",
                    memory="400M", pipeline="p",
                ),
                "large": run(
                    store, python, "-c", GROW, "200", "1", "200", wait=False, step="large",
                    memory="400M", pipeline="p",
                ),
            }  # fmt: skip
            try:
                for _ in range(6):
                    for pipeline in ("late", "punctual"):
                        run(store, "sleep", "0.3", step="crawl", pipeline=pipeline)
                until(lambda: serve.metric("tracer_task_slowness_sigma") is None, 30)
                workloads["crawl"] = run(
                    store, "sleep", "600", wait=False, step="crawl", pipeline="late"
                )
                for words in (
                    "a task of stuck is stalled",
                    "hoard holds 4 cores",
                    "spender: a run costs more than its budget",
                    "memory of swell is heading for its limit",
                    "late: a task of crawl is slower than its history",
                ):
                    until(lambda words=words: fired(words), 180)
                # The page says so too, with a link to the evidence.
                _, page, _ = serve.get("/")
                assert "a task of stuck is stalled" in page
                _, evidence, _ = serve.get("/?pipeline=p&step=stuck")
                assert "<td>stuck</td>" in evidence
                assert "<td>hoard</td>" not in evidence
                run(store, "sleep", "0.3", step="crawl", pipeline="punctual")
                for name in ("stuck", "hoard", "swell", "crawl"):
                    end(workloads[name])
                for words in ("stuck", "hoard", "spender", "swell", "crawl"):
                    until(lambda words=words: fired.resolved(words), 60)
            finally:
                for process in workloads.values():
                    end(process)
        for twin in ("works", "use", "saver", "large", "punctual"):
            assert not any(twin in title for title in told.titles()), told.titles()
        assert len(told.titles()) == len(set(told.titles())), "somebody was told twice"


def test_failures_oom_kills_and_degraded_capture(tmp_path: Path, hook: Webhook) -> None:
    store = tmp_path / "store"
    group = make_group()

    with hooked(hook) as told:
        with served(store, "--alerts", settings(tmp_path, told.address), *FAST):
            fired = Fired(told)
            for number in range(6):
                run(store, "false", step="breaks", pipeline="p")
                run(store, "true" if number else "false", step="trips", pipeline="p")
            until(lambda: fired("breaks fails"))
            confined(store, group, sys.executable, "-c", WAIT + EAT, step="eats", pipeline="p")
            confined(store, group, sys.executable, "-c", WAIT, step="nibbles", pipeline="p")
            until(lambda: fired("a process of eats was killed for want of memory"))
            blind = without_net_admin(store, "sleep", "60", step="blind", pipeline="p")
            seen = run(store, "sleep", "20", wait=False, step="seen", pipeline="p")
            try:
                until(lambda: fired("blind is not seen in full"))
            finally:
                end(blind)
                end(seen)
            for words in ("breaks", "eats", "blind"):
                until(lambda words=words: fired.resolved(words), 60)
        for twin in ("trips", "nibbles", "seen on"):
            assert not any(twin in title for title in told.titles()), told.titles()


def test_people_are_told_once_also_after_the_webhook_was_away(
    tmp_path: Path, hook: Webhook
) -> None:
    with hooked(hook):
        pass
    port = free_port()
    mail = f"mailto://127.0.0.1:{port}/?from=tracer@example.org&to=me@example.org"
    file = settings(tmp_path, hook.address, mail)

    def break_step(store: Path) -> None:
        for _ in range(5):
            run(store, "false", step="breaks", pipeline="p")

    with mailed(port) as box:
        with served(tmp_path / "store", "--alerts", file, *FAST) as serve:
            break_step(tmp_path / "store")
            until(lambda: box.subjects)
            until(lambda: waiting(serve) == 1)
            serve.kill()  # what waits is on disk
        with served(tmp_path / "store", "--alerts", file, *FAST), hooked(hook):
            until(lambda: any(t.startswith("Resolved") for t in hook.titles()))
            until(lambda: len(box.subjects) == 2)
    assert [t.startswith("Resolved") for t in hook.titles()] == [False, True]
    assert [s.startswith("Resolved") for s in box.subjects] == [False, True]
    assert "http://127.0.0.1" in hook.posts[0]["message"]
    assert "pipeline=p&step=breaks" in hook.posts[0]["message"]


def waiting(serve: Served) -> float | None:
    """How much waits for the webhook."""
    _, text, _ = serve.get("/metrics")
    lines = [
        x for x in text.splitlines() if x.startswith('tracer_serve_queue_size{to="notify:json')
    ]
    return float(lines[0].split()[-1]) if lines else None


def test_a_silence_needs_no_restart(tmp_path: Path, hook: Webhook) -> None:
    store = tmp_path / "store"

    def silence(more: Callable[[str], str]) -> None:
        text = SHORT.format(notify=[hook.address])
        (tmp_path / "alerts.toml").write_text(more(text))

    with hooked(hook):
        silence(lambda text: text)
        with served(store, "--alerts", str(tmp_path / "alerts.toml"), *FAST) as serve:
            silence(
                lambda text: text + '[[silence]]\nalert = "TracerStepFailing"\nstep = "hushed"\n'
            )
            for _ in range(5):
                run(store, "false", step="hushed", pipeline="p")
            for _ in range(5):
                run(store, "false", step="loud", pipeline="p")
            until(lambda: any("loud" in title for title in hook.titles()))
            assert serve.metric("tracer_serve_alerts_firing", alert="TracerStepFailing") in (1, 2)
        assert not any("hushed" in title for title in hook.titles())
