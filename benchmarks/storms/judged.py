"""What one supervised storm was recorded as, against its truth."""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

from storms.workload import Storm, Truth


def judged(spool: Path, storm: Storm, truth: Truth | None) -> dict[str, Any]:
    """The figures of one record. Errors are shares of the truth; `capture` is a string.

    `cpu_error_tools` is the largest error of any program's CPU, `count_error_tools` of its count.
    """
    lines = [json.loads(line) for line in spool.read_text().splitlines()]
    sealed = lines[-1]
    counts, cpu_s, folded = _by_name(lines)
    found = {name: counts[name] for name in storm.exact}
    figures: dict[str, Any] = {
        "capture": lines[0]["capture"],
        "share_by_name": sum(min(found[n], right) for n, right in storm.exact.items())
        / storm.count,
        "count_error_tools": max(
            abs(found[name] - right) / right for name, right in storm.exact.items()
        ),
        # bash, and whatever runs before it, are processes too
        "process_count": sealed["process_count"],
        "process_count_source": sealed["process_count_source"],
        "events_lost": sealed.get("events_lost") or 0,
        "folded": folded,
        "unattributed_share": sealed["cpu_unattributed_s"] / max(1e-9, sealed["cpu_s"]),
        "cpu_s": sealed["cpu_s"],
        "observer_cpu_s": sealed["observer_cpu_s"],
        "observer_memory_mib": sealed["observer_memory_bytes"] / 2**20,
    }
    if truth is not None:
        figures["cpu_error"] = abs(sealed["cpu_s"] / truth.cpu_s - 1)
        figures["cpu_error_tools"] = max(
            abs(cpu_s[name] / right - 1) for name, right in truth.by_name.items()
        )
    return figures


def _by_name(
    lines: list[dict[str, Any]],
) -> tuple[collections.Counter[str], dict[str, float], int]:
    """(processes, CPU seconds) by comm, rows and folded groups alike, and how many were folded."""
    counts: collections.Counter[str] = collections.Counter()
    cpu_s: dict[str, float] = collections.defaultdict(float)
    rows = {line["id"]: dict(line) for line in lines if line["t"] == "p"}
    for line in lines:
        if line["t"] == "q":
            rows[line["id"]]["cpu_s"] = line["cpu_s"]
    for row in rows.values():
        counts[row["comm"]] += 1
        cpu_s[row["comm"]] += row.get("cpu_s") or 0.0
    groups = {line["n"]: line for line in lines if line["t"] == "fold"}
    for group in groups.values():
        counts[group["comm"]] += group["count"]
        cpu_s[group["comm"]] += group["cpu_s"]
    return counts, cpu_s, sum(group["count"] for group in groups.values())
