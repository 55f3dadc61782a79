"""Flame graphs, held against speedscope's own schema."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from analysis.synthetic import RUN, table

from tests.export.conftest import Tables
from tracer_hooks.analysis.trace import run_trace
from tracer_hooks.export import speedscope

jsonschema = pytest.importorskip("jsonschema")
SCHEMA = json.loads((Path(__file__).parent / "speedscope-schema.json").read_text())


def written(tables: Tables) -> dict[str, Any]:
    file = io.BytesIO()
    speedscope.export(run_trace(tables, RUN), file)
    read: dict[str, Any] = json.loads(file.getvalue())
    jsonschema.validate(read, SCHEMA)
    return read


def stacks(read: dict[str, Any], profile: int) -> dict[tuple[str, ...], float]:
    """The weight of each stack, by names."""
    frames = [frame["name"] for frame in read["shared"]["frames"]]
    found: dict[tuple[str, ...], float] = {}
    one = read["profiles"][profile]
    for sample, weight in zip(one["samples"], one["weights"], strict=True):
        key = tuple(frames[number] for number in sample)
        found[key] = found.get(key, 0.0) + weight
    return found


def test_it_is_what_the_schema_asks_for(any_run: Tables) -> None:
    read = written(any_run)
    for profile in read["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert sum(profile["weights"]) == pytest.approx(profile["endValue"])
        assert all(weight > 0 for weight in profile["weights"])
    frames = [frame["name"] for frame in read["shared"]["frames"]]
    assert len(set(frames)) == len(frames)


def test_the_schema_refuses_what_is_wrong(full: Tables) -> None:
    read = written(full)
    del read["profiles"][0]["weights"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read, SCHEMA)


def test_cpu_is_below_who_started_it(full: Tables) -> None:
    cpu = stacks(written(full), 0)
    assert cpu["align", "t1", "bash", "bwa mem"] == 3.0
    assert cpu["align", "t1", "bash", "bwa mem", "bwa mem"] == 60.0
    assert cpu["align", "t1", "bash", "bash", "gzip"] == pytest.approx(0.4)
    assert cpu["align", "t1", "(no named process)"] == 1.2


def test_what_was_folded_has_its_own_frame(full: Tables) -> None:
    rows = full["tools"].drop_columns("run_id").to_pylist()
    for row in rows:
        if row["tool"] == "gzip":
            row.update(folded_count=960, cpu_s=9.4)
    cpu = stacks(written({**full, "tools": table("tools", rows)}), 0)
    assert cpu["align", "t1", "(folded)", "gzip"] == pytest.approx(9.0)


def test_wall_time_is_split_by_what_was_done(full: Tables) -> None:
    wall = stacks(written(full), 1)
    assert wall["align", "t1", "on CPU"] == 42.0
    assert wall["align", "t1", "disk"] == 12.0
    assert sum(w for key, w in wall.items() if key[1] == "t1") == 60.0
    assert ("align", "t1", "network") not in wall


def test_what_was_not_measured_says_so(unknown: Tables) -> None:
    rows = unknown["tasks"].drop_columns("run_id").to_pylist()
    rows[1]["wall_s"] = 5.0
    wall = stacks(written({**unknown, "tasks": table("tasks", rows)}), 1)
    assert wall == {("align", "t2", "(not measured)"): 5.0}
