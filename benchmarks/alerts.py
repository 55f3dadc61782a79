"""Each alert fires for a workload that deserves it, ends with it, and is silent for its twin.

    python benchmarks/alerts.py [--shipped] [--minutes 45] [--json FILE]

Eight pairs of real tasks, each in pipelines of its own: one that deserves the alert, and one that
does the same in a decent way. Two judge them by the same settings: `serve` alone, which tells a
webhook, and Prometheus with the rules of `tracer-hooks grafana`, which tells a real Alertmanager.
Once both have told of an alert its workload is ended. Shows after how many seconds each fired, and
how long after the workload's end it was over. Ends with an error if one did not fire, did not end,
or for a twin. (What else is said of a twin may be true: on a busy host not all of it is seen.)

Thresholds are shortened to seconds, which takes two minutes; with `--shipped` they are those that
everybody has (only the budgets are set), which takes forty: a task must be stalled for a quarter of
an hour, and failures count for half of one. Needs root, for a memory limit that a task exceeds.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from tests.alert.receivers import Webhook, hooked  # noqa: E402 - after the path
from tests.alert.workloads import BUSY, GROW, confined, without_net_admin  # noqa: E402 - the same
from tests.grafana.live import SETTINGS, STEADY, Live, watched  # noqa: E402 - the same
from tests.server.serving import end, run  # noqa: E402 - the same
from tests.supervisor.memory_group import EAT, WAIT, make_group  # noqa: E402 - the same
from tracer_hooks.alert.rules import rule_table  # noqa: E402 - the same

BUDGETS = "[budgets]\nrun_cost = 0.00001\nrun_cost-twin = 1000\n"
# A task that goes on for long is heard of each ten seconds only.
SOONER = SETTINGS.replace("threshold = 4.0", "threshold = 15.0").replace("300.0", "20.0")
SOONER += """
[rules.oom_kill]
window_s = 20
[rules.capture_degraded]
for_s = 1
keep_firing_s = 0
"""
TWIN = "-twin"
JUDGES = ("serve", "prometheus")


@dataclass
class Case:
    """One alert: seconds from its workload's begin to its firing, and from its end to its end."""

    alert: str
    begun: float = 0.0
    ended: float | None = None
    tasks: list[subprocess.Popen[bytes]] = field(default_factory=list)
    twins: list[subprocess.Popen[bytes]] = field(default_factory=list)
    fired_s: dict[str, float] = field(default_factory=dict)
    over_s: dict[str, float] = field(default_factory=dict)


def main() -> int:
    """Do it, and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shipped", action="store_true", help="with the thresholds as shipped")
    parser.add_argument("--minutes", type=float, default=45.0, help="give up after so many")
    parser.add_argument("--json")
    options = parser.parse_args()
    hook = Webhook()
    with tempfile.TemporaryDirectory() as folder, hooked(hook):
        rest = SOONER.partition("[measure]")
        said = f"notify = [{json.dumps(hook.address)}]\n{BUDGETS}"
        if not options.shipped:
            said += "".join(rest[1:])
        with watched(Path(folder), said, sooner=not options.shipped) as live:
            cases = {rule.id: Case(rule.alert) for rule in rule_table().rules}
            try:
                begin(cases, live.store)
                twins = followed(cases, live, hook, options.minutes * 60)
            finally:
                for case in cases.values():
                    for process in (*case.tasks, *case.twins):
                        end(process)
    columns = [(judge, what) for judge in JUDGES for what in ("fires", "ends")]
    print(f"{'seconds':28}" + "".join(f"{f'{judge} {what}':>18}" for judge, what in columns))
    for case in cases.values():
        times = [(case.fired_s if w == "fires" else case.over_s).get(j) for j, w in columns]
        shown = ("NEVER" if seconds is None else str(round(seconds)) for seconds in times)
        print(f"{case.alert:28}" + "".join(f"{text:>18}" for text in shown))
    print(f"fired for a twin: {', '.join(sorted(twins)) or 'none'}")
    if options.json:
        made = {c.alert: {"fired_s": c.fired_s, "over_s": c.over_s} for c in cases.values()}
        Path(options.json).write_text(json.dumps({"alerts": made, "twins": sorted(twins)}))
    complete = all(len(case.over_s) == len(JUDGES) for case in cases.values())
    return 0 if complete and not twins else 1


def begin(cases: dict[str, Case], store: Path) -> None:
    """Start all workloads, and their twins, in pipelines named after the rules."""
    python = sys.executable

    def start(name: str, *command: str, wait: bool = False, **flags: str) -> None:
        case = cases[name.removesuffix(TWIN)]
        case.begun = case.begun or time.monotonic()
        process = run(store, *command, wait=wait, pipeline=name, step="step", **flags)
        if not wait:
            (case.twins if name.endswith(TWIN) else case.tasks).append(process)

    steady = (python, "-c", STEADY.replace("{0}", "1e9"))
    start("stalled", "sleep", "100000")
    start("stalled-twin", *steady)
    start("idle_cores", "sleep", "100000", cpus="4")
    start("idle_cores-twin", "bash", "-c", BUSY, cpus="4")
    start("memory_limit", python, "-c", GROW, "10", "2", "900", memory="400M")
    start("memory_limit-twin", python, "-c", GROW, "200", "1", "200", memory="400M")
    start("run_cost", *steady, cpus="1")
    start("run_cost-twin", *steady, cpus="1")
    for number in range(10):
        start("failure_rate", "false", wait=True)
        start("failure_rate-twin", "true" if number else "false", wait=True)
    for _ in range(6):
        for name in ("slow", "slow-twin"):
            start(name, "sleep", "0.5", wait=True)
    cases["slow"].begun = time.monotonic()
    start("slow", *steady)
    start("slow-twin", "sleep", "0.5", wait=True)
    group = make_group()
    cases["oom_kill"].begun = time.monotonic()
    confined(store, group, python, "-c", WAIT + EAT, pipeline="oom_kill", step="step")
    confined(store, group, python, "-c", WAIT, pipeline="oom_kill-twin", step="step")
    cases["capture_degraded"].begun = time.monotonic()
    blind = without_net_admin(store, "sleep", "100000", pipeline="capture_degraded", step="step")
    cases["capture_degraded"].tasks.append(blind)
    start("capture_degraded-twin", *steady)


def followed(cases: dict[str, Case], live: Live, hook: Webhook, patience_s: float) -> set[str]:
    """Watch until everything is over; the twins that somebody named, with the alert."""
    twins: set[str] = set()
    until = time.monotonic() + patience_s
    while time.monotonic() < until and any(len(c.over_s) < len(JUDGES) for c in cases.values()):
        now = time.monotonic()
        told = {"serve": told_by(hook), "prometheus": in_alertmanager(live)}
        for judge, firing in told.items():
            for name, case in cases.items():
                if (case.alert, name + TWIN) in firing:
                    twins.add(f"{name}{TWIN} by {judge}")
                note(case, judge, now, (case.alert, name) in firing)
        for name, case in cases.items():
            if case.ended is None and len(case.fired_s) == len(JUDGES):
                for process in case.tasks:
                    end(process)
                case.ended = time.monotonic()
                print(f"{name} fired", flush=True)
        time.sleep(0.5)
    return twins


def note(case: Case, judge: str, now: float, fires: bool) -> None:
    """That it fires, or that it is over."""
    if fires:
        case.fired_s.setdefault(judge, now - case.begun)
    elif judge in case.fired_s:
        case.over_s.setdefault(judge, now - (case.ended or now))


def told_by(hook: Webhook) -> set[tuple[str, str]]:
    """Alerts that fire, by what a webhook was told: their names and pipelines. Of a twin also what
    was over before anybody looked."""
    firing = set()
    for post in hook.posts:
        alert, url = re.findall(r"(\w+) \(\w+\) (\S+)", post["message"])[0]
        named = (alert, parse_qs(urlsplit(url).query)["pipeline"][0])
        over = post["title"].startswith("Resolved") and not named[1].endswith(TWIN)
        (firing.discard if over else firing.add)(named)
    return firing


def in_alertmanager(live: Live) -> set[tuple[str, str]]:
    """The same, by what Alertmanager holds."""
    labels = [alert["labels"] for alert in live.alertmanager.alerts()]
    return {(found["alertname"], found["pipeline"]) for found in labels}


if __name__ == "__main__":
    sys.exit(main())
