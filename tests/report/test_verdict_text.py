"""How verdicts read, in every format."""

from __future__ import annotations

import re
from typing import Any

import pytest
from analysis.synthetic import MIB, RUN, table, task

from tracer_hooks.analysis.summary import RunReport, summarise
from tracer_hooks.analysis.tables import records
from tracer_hooks.analysis.verdict_advice import advice
from tracer_hooks.analysis.verdicts import LABELS
from tracer_hooks.report import json, markdown, terminal
from tracer_hooks.report.notebook import Report
from tracer_hooks.report.opening import opening
from tracer_hooks.report.verdict_text import TITLES, run_sentences, step_verdicts, titled, why


def of(*rows: dict[str, Any]) -> RunReport:
    return summarise({"tasks": table("tasks", list(rows))}, RUN)


def attempt(step: str, at: float, waits: tuple[float, ...], **columns: Any) -> dict[str, Any]:
    used = {"cpu_s": waits[0], "cpu_user_s": waits[0], "cpu_system_s": 0.0, "reading_count": 100}
    return task(step, step=step, at=at, waits=waits, **{**used, **columns})


def test_every_label_has_a_title_a_reason_and_advice() -> None:
    assert set(TITLES) == set(LABELS)
    shares = dict.fromkeys(
        (
            "cpu_share",
            "disk_share",
            "disk_work_share",
            "helper_share",
            "idle_share",
            "network_share",
            "runnable_share",
            "memory_stall_share",
        ),
        0.5,
    )
    for label in LABELS:
        assert why(label, {**shares, "short_process_count": 4000, "wall_s": 0.2})
        assert advice(label, {}).endswith(".")
        assert advice(label, {"reason": "mixed"}).endswith(".")


def test_it_names_the_step_that_dominates_the_path_its_numbers_and_what_to_do() -> None:
    report = of(
        attempt("fetch", 0, (1.0, 0.0, 0.0, 0.0, 0.0)),
        attempt("sort", 1, (1.0, 0.0, 8.0, 0.0, 0.0)),
    )
    (said,) = run_sentences(report)
    assert said.startswith(
        "Disk-bound for 90 % of the critical path (10.0 s, 2 tasks in a row), chiefly in sort"
        " (90 % of the path): blocked on disk 89 %. "
    )
    assert said.endswith("sync less often.")


def test_a_task_that_was_tried_again_is_one_task() -> None:
    report = of(
        attempt("fetch", 0, (1.0, 0.0, 0.0, 0.0, 0.0), status="failed"),
        attempt("fetch", 1, (1.0, 0.0, 0.0, 0.0, 0.0), attempt=2),
        attempt("sort", 2, (1.0, 0.0, 8.0, 0.0, 0.0)),
    )
    assert "(11.0 s, 3 attempts at 2 tasks in a row)" in run_sentences(report)[0]


def test_what_costs_but_does_not_delay_is_told_beside_it() -> None:
    asleep = [attempt(f"aside{n}", 0, (0.0, 0.0, 0.0, 0.0, 9.0)) for n in range(5)]
    report = of(*asleep, attempt("long", 0, (20.0, 0.0, 0.0, 0.0, 0.0)))
    first, second = run_sentences(report)
    assert first.startswith(
        "CPU-bound for 100 % of the critical path (20.0 s, 1 task), all of it in long: on CPU 100 %"
    )
    assert second == (
        "Of the time of all tasks together 69 % is idle, which costs more than it delays."
    )


def test_a_run_that_waited_between_its_tasks() -> None:
    report = of(attempt("a", 0, (1, 0, 0, 0, 0)), attempt("b", 20, (1, 0, 0, 0, 0)))
    said, tasks = run_sentences(report)
    assert "For 90 % of the critical path" in said
    assert "the engine or a queue" in said
    assert "100 % is CPU-bound" in tasks


def test_nothing_ran_nothing_is_said(empty: RunReport, unknown: RunReport) -> None:
    assert opening(empty).said == []
    assert run_sentences(unknown) == []
    (step,) = step_verdicts(unknown, 10)
    assert (step.label, step.why) == ("uncertain", "not measured")


def test_each_format_shows_each_steps_verdict_and_the_runs(report: RunReport) -> None:
    page = markdown.render(report)
    text = " ".join(terminal.render(report, width=140).split())
    notebook = Report.of(report)._repr_html_()
    headline = run_sentences(report)[0]
    assert headline in text
    assert markdown.escaped(headline) in page
    for step in records(report.verdicts.steps):
        title, name = titled(step["label"]), step["step"]
        assert re.search(rf"{name} [^│]*? % {title} ", text), name
        assert re.search(rf"\| {name} \| {title} \|", page), name
        assert re.search(rf"<td>{name}</td><td>{title}</td>", notebook), name
    run = json.as_dict(report)["run"]
    assert run["verdict"]["sentences"][0] == headline
    assert run["critical_path"][0]["label"] in LABELS
    assert run["dashboard"]["sentence"].startswith("Host 55 % busy")


def test_slow_answers_are_not_advised_a_faster_link() -> None:
    waits = {"waits": (0.5, 0.0, 0.0, 9.5, 0.0)}
    moved = {"network_rx_bytes": 80 * MIB, "network_tx_bytes": 0}
    few = {"network_rx_bytes": 2000, "network_tx_bytes": 2000}
    for columns, words in ((moved, "keep a copy"), (few, "waits for answers")):
        found = of(attempt("ask", 0, **waits, **columns))
        told = json.as_dict(found)["findings"]
        (finding,) = [one for one in told if one["kind"] == "waited_for_network"]
        assert words in finding["advice"]


@pytest.mark.parametrize("width", [40, 80, 140])
def test_on_a_narrow_page_the_verdict_stays(report: RunReport, width: int) -> None:
    text = terminal.render(report, width=width)
    section = text[text.index("Where the time went") :].split("\n\n")[0]
    assert "disk-bound" in section
    assert all(len(line) <= width for line in section.splitlines())
