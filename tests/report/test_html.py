"""The HTML report without a browser: what the file holds, and what it must not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from analysis.synthetic import RUN, many_tasks, sequencing_run, table, task

from tracer_hooks.analysis.course import attempts_course, hosts_course, most_at_once, spans_of
from tracer_hooks.analysis.detail import most_telling, tools_of_steps, with_detail
from tracer_hooks.analysis.summary import RunReport, summarise
from tracer_hooks.analysis.tables import relations
from tracer_hooks.report import html
from tracer_hooks.report.html import assets
from tracer_hooks.report.html.taskrows import MAX_ROWS, ROWS_OF_MANY

ROOT = Path(__file__).parents[2]


class Tags(HTMLParser):
    """The elements of a page, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.code: dict[str, list[str]] = {"script": [], "style": []}
        self._inside: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in self.code else None
        if self._inside:
            self.code[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = None if tag in self.code else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.code[self._inside][-1] += data


def data_of(page: str) -> Any:
    """What the page's script reads."""
    found = re.search(r'<template id="data">([A-Za-z0-9+/=]*)</template>', page)
    assert found
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


def in_full(tables: dict[str, Any], pages: int = 20, run: str = RUN) -> RunReport:
    return with_detail(summarise(tables, run), tables, pages)


def test_any_report_is_one_file_of_our_own_code(any_report: RunReport) -> None:
    page = html.render(any_report)
    tags = Tags(page)
    assert [tag for tag, _ in tags.tags].count("script") == 2
    assert not {"img", "iframe", "object", "embed", "link", "base"} & {tag for tag, _ in tags.tags}
    for tag, attributes in tags.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert not (attributes.get("href") or "#").startswith(("http", "//", "javascript"))
        assert "src" not in attributes


def test_the_policy_lets_only_these_scripts_and_styles_run(report: RunReport) -> None:
    tags = Tags(html.render(report))
    policy = next(
        attributes["content"] or ""
        for tag, attributes in tags.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy
    for code in (*tags.code["script"], *tags.code["style"]):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "</script" not in assets.library() + assets.script()


def test_the_data_holds_every_attempt_and_nothing_missing_is_0() -> None:
    rows = [
        task("a", cpu_s=None, memory_peak_bytes=None, at=1.0),
        task("b", waits=None, wall_s=2.0, at=2.0, status="failed"),
    ]
    data = data_of(html.render(in_full({"tasks": table("tasks", rows)})))
    tasks = data["tasks"]
    assert tasks["id"] == ["a", "b"]
    assert tasks["start"] == [0, 1]
    assert (tasks["cpu"], tasks["memory"][0]) == ([None, 6], None)
    assert (tasks["w_cpu"], tasks["wall"]) == ([6, None], [10, 2])
    assert [tasks["status"]["names"][place] for place in tasks["status"]["rows"]] == [
        "succeeded", "failed",
    ]  # fmt: skip


def test_a_host_that_was_not_read_has_no_panel() -> None:
    bare = html.render(in_full({"tasks": table("tasks", [task("a")])}))
    assert "The host was not read" in bare
    assert bare.count('<figure class="panel">') == 1
    assert 'id="host-chart"' not in bare
    assert 'id="host-chart"' in html.render(in_full(sequencing_run(3)))


def test_the_same_run_makes_the_same_file() -> None:
    tables = sequencing_run(3)
    assert html.render(in_full(tables)) == html.render(in_full(tables))


def test_a_hundred_thousand_attempts_become_a_few_thousand_rows() -> None:
    tables = many_tasks(MAX_ROWS + 1)
    page = html.render(in_full(tables, 2))
    data = data_of(page)
    assert data["tasks"]["count"] == ROWS_OF_MANY
    assert len(data["byStep"]) == 40
    assert f"{MAX_ROWS + 1:,} attempts are too many for one page" in page
    # The sums are of all of them all the same.
    walls = tables["tasks"]["wall_s"].to_numpy()
    shown = sum(sum(step["running"]) for step in data["byStep"]) * data["end"] / 120
    assert shown == pytest.approx(walls.sum(), rel=0.001)


def test_the_course_of_the_tasks_adds_up_to_their_time() -> None:
    tasks = summarise(sequencing_run(4), RUN).tasks
    spans = spans_of(tasks)
    assert spans is not None
    course = attempts_course(tasks, *spans)
    width = course["end_s"] - course["start_s"]
    timed = tasks[tasks["started_at"].notna()]
    assert (course["running"] * width).sum() == pytest.approx(timed["wall_s"].sum())
    for part in ("cpu", "runnable", "disk", "network", "idle"):
        assert (course[part] * width).sum() == pytest.approx(timed[f"wall_{part}_s"].sum())
    by_step = attempts_course(tasks, *spans, by_step=True)
    sums = by_step.groupby("start_s")["running"].sum().to_numpy()
    assert sums == pytest.approx(course["running"].to_numpy())


def test_the_course_of_the_hosts_is_null_where_nothing_was_read() -> None:
    tables = sequencing_run(2)
    report = summarise(tables, RUN)
    spans = spans_of(report.tasks)
    assert spans is not None
    course = hosts_course(relations(tables, RUN), *spans)
    assert course["busy_share"].dropna().between(0.54, 0.56).all()
    early = hosts_course(relations(tables, RUN), spans[0] - pd.Timedelta(seconds=30), spans[1])
    assert early["busy_share"].isna().any()
    assert not (early["busy_share"] == 0).any()
    assert hosts_course(relations({}, RUN), *spans).empty


def test_how_many_ran_at_once() -> None:
    rows = [task(str(n), at=at) for n, at in enumerate((0.0, 5.0, 9.9, 10.0))]
    tasks = summarise({"tasks": table("tasks", rows)}, RUN).tasks
    assert most_at_once(tasks, tasks["started_at"].min()) == 3


def test_what_tells_most_is_failures_each_step_and_the_costliest() -> None:
    rows = [task(f"s{n}", step="small", at=n) for n in range(50)]
    rows += [task("bad", status="failed", waits=(0.1, 0.0, 0.0, 0.0, 0.0), at=50.0)]
    rows += [task("rare", step="rare", waits=(0.2, 0.0, 0.0, 0.0, 0.0), at=51.0)]
    rows += [task("wide", step="small", cpus_requested=64.0, at=52.0)]
    tasks = summarise({"tasks": table("tasks", rows)}, RUN).tasks
    chosen = list(most_telling(tasks, 6)["task_id"])
    assert {"bad", "rare", "wide"} <= set(chosen)
    assert len(chosen) == 6
    assert chosen == [t for t in tasks["task_id"] if t in chosen]  # in their order


def test_tools_of_a_step_add_up_to_its_cpu() -> None:
    report = summarise(sequencing_run(3), RUN)
    tools = tools_of_steps(relations(sequencing_run(3), RUN))
    sums = tools.groupby("step")["cpu_s"].sum()
    for row in report.steps.to_dict("records"):
        assert sums[row["step"]] == pytest.approx(row["cpu_s"])


def test_only_the_bundle_that_its_script_names_is_shipped() -> None:
    folder = ROOT / "tracer_hooks" / "report" / "html" / "assets"
    version = re.search(r"^ECHARTS=(\S+)", (folder / "build.sh").read_text(), re.MULTILINE)
    assert version
    assert f"Apache ECharts {version[1]} " in assets.library()[:200]
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "Redistribution and use" in assets.notices()


def test_a_wheel_holds_what_the_page_is_made_of() -> None:
    """As hatch decides it: everything in the package that git does not ignore."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(
        [*asked, "tracer_hooks/report/html"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = done.stdout.split()
    for needed in ("assets/echarts.min.js", "templates/page.html", "css/base.css", "js/main.js"):
        assert f"tracer_hooks/report/html/{needed}" in listed


def test_make_demo_ends_with_the_path() -> None:
    # Within `make test` there is a make already, whose flags and level this one would take over.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--dry-run", "demo"],
        cwd=ROOT,
        env=plain,
        capture_output=True,
        text=True,
        check=True,
    )
    last = done.stdout.strip().splitlines()[-2:]
    assert "--format html --output" in last[0]
    assert "report.html" in last[1]


def test_on_a_terminal_it_goes_to_a_file(tmp_path: Path) -> None:
    """Nobody wants half a megabyte of markup on a screen."""
    store = tmp_path / "store"
    run = [sys.executable, "-m", "tracer_hooks", "run", "--store", str(store), "--run", "one/1"]
    subprocess.run([*run, "--", "true"], check=True)
    asked = [sys.executable, "-m", "tracer_hooks", "report", "--format", "html"]
    asked += ["--store", str(store)]
    piped = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert piped.stdout.startswith("<!doctype html>")
    script = ["script", "-qec", " ".join(asked), "/dev/null"]
    shown = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "report-one-1.html"
    assert (tmp_path / "report-one-1.html").read_text().startswith("<!doctype html>")
