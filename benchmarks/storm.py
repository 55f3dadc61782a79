"""A storm of short processes, bare and supervised by each capture source, in alternating pairs.

The task starts N processes under three program names in the proportion 5:3:2, each of which ends
at once. For each source: the wall and CPU ratios against the bare storm, the supervisor's own CPU
time, and how many of the processes it knew by name. Run it as root and as another user: what is
permitted differs. A source that is refused is reported as what it stepped down to.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
from pathlib import Path
from typing import Any

from pairs import Timing, alternate, compare, main, show, spread, supervised, time_command

NAMES = {"storm-one": 5, "storm-two": 3, "storm-three": 2}
SOURCES = ("poll", "perf", "taskstats", "auto")


def command(folder: Path, count: int) -> list[str]:
    """A shell that runs `count` processes, interleaved, so many of each name."""
    for name in NAMES:
        shutil.copy(os.path.realpath("/bin/true"), folder / name)
    calls = "; ".join(f"{folder / name}" for name, share in NAMES.items() for _ in range(share))
    return ["bash", "-c", f"for ((i = 0; i < {count // 10}; i++)); do {calls}; done"]


def seen(spool: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The sealed line (with `capture` of the card), and the processes recorded by name."""
    lines = [json.loads(line) for line in spool.read_text().splitlines()]
    names = {line["id"]: line["comm"] for line in lines if line["t"] == "p"}
    groups = {line["n"]: line for line in lines if line["t"] == "fold"}
    found = dict.fromkeys(NAMES, 0)
    for comm in names.values():
        if comm in found:
            found[comm] += 1
    for group in groups.values():
        if group["comm"] in found:
            found[group["comm"]] += group["count"]
    return {"capture": lines[0]["capture"], **lines[-1]}, found


def measure(arguments: argparse.Namespace, store: Path) -> dict[str, Any]:
    result: dict[str, Any] = {"user": "root" if os.geteuid() == 0 else "unprivileged"}
    for count in arguments.counts:
        storm = command(store, count)
        notes: dict[str, list[dict[str, float]]] = {source: [] for source in arguments.sources}
        captures: dict[str, str] = {}

        def run(source: str) -> Timing:
            home = store / source
            timing = time_command(supervised(home, storm, "--capture", source))  # noqa: B023
            (spool,) = (home / "spool" / "bench").glob("bench.*.jsonl")
            sealed, found = seen(spool)
            shutil.rmtree(home)
            exact = {name: count // 10 * share for name, share in NAMES.items()}  # noqa: B023
            wrong = sum(abs(found[name] - right) for name, right in exact.items())
            captures[source] = sealed["capture"]  # noqa: B023
            notes[source].append(  # noqa: B023
                {
                    "share_by_name": sum(found.values()) / count,  # noqa: B023
                    "miscounted": float(wrong),
                    "observer_cpu_s": sealed["observer_cpu_s"],
                    "process_count": float(sealed["process_count"]),
                    "events_lost": float(sealed.get("events_lost") or 0),
                    "unattributed": sealed["cpu_unattributed_s"] / max(1e-9, sealed["cpu_s"]),
                }
            )
            return timing

        variants = {"bare": lambda: time_command(storm)}  # noqa: B023
        for source in arguments.sources:
            variants[source] = lambda source=source: run(source)  # type: ignore[misc]
        timings = alternate(variants, arguments.pairs)
        bare = statistics.median(timing.wall_s for timing in timings["bare"])
        figures: dict[str, Any] = {"bare_wall_s": bare}
        for source in arguments.sources:
            figures[source] = compare(timings["bare"], timings[source])
            for name in notes[source][0]:
                figures[source][name] = spread([note[name] for note in notes[source][1:]])
            title = f"{count} processes, --capture {source} (was {captures[source]})"
            show(f"{title}, {arguments.pairs} pairs, bare {bare:.2f} s", figures[source])
            figures[source]["capture"] = captures[source]
        result[str(count)] = figures
    return result


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--counts", type=int, nargs="+", default=[2_000, 10_000, 50_000])
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=SOURCES)


if __name__ == "__main__":
    main("a storm of short processes", measure, 5, options)
