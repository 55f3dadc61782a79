"""The report as text: what it says, and that it stays on the page whatever it is given."""

from __future__ import annotations

import re

import pytest
from analysis.strategies import runs
from analysis.synthetic import RUN, table, task
from hypothesis import HealthCheck, Phase, given, settings
from rich.cells import cell_len

from tracer_hooks.analysis.summary import RunReport, summarise
from tracer_hooks.report import json, markdown, terminal
from tracer_hooks.report.layout import bar
from tracer_hooks.report.notebook import Report
from tracer_hooks.report.points import points
from tracer_hooks.report.sentences import ADVICE, SENTENCES, advice
from tracer_hooks.report.units import UNKNOWN

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def widest(text: str) -> int:
    """Cells of the widest line but for commands, which are never broken."""
    lines = text.splitlines()
    return max(cell_len(line) for line in lines if not line.strip().startswith("`tracer-hooks "))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_no_line_leaves_the_page(any_report: RunReport, width: int) -> None:
    text = terminal.render(any_report, color=False, width=width)
    assert widest(text) <= width
    assert text.endswith("\n")


def test_a_pipe_gets_no_escape_sequence_and_no_trailing_space(any_report: RunReport) -> None:
    text = terminal.render(any_report, color=False, width=100)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert not re.search(r"[ \t]$", text, re.MULTILINE)


def test_a_terminal_gets_colours_and_the_same_text(any_report: RunReport) -> None:
    colored = terminal.render(any_report, color=True, width=100)
    assert ANSI.search(colored)
    stripped = "\n".join(line.rstrip() for line in ANSI.sub("", colored).splitlines())
    assert stripped.strip() == terminal.render(any_report, color=False, width=100).strip()
    assert "\x1b" not in ANSI.sub("", colored)


def test_names_are_shown_as_they_are(hostile: RunReport) -> None:
    text = terminal.render(hostile, color=False, width=140)
    assert "[bold red]x[/bold red]" in text
    assert "a␤b␍␤c␉d" in text


def test_what_was_not_measured_is_never_zero(unknown: RunReport) -> None:
    text = terminal.render(unknown, color=False, width=140)
    table = text[text.index("\nSteps") : text.index("\nTools")]
    assert UNKNOWN in table
    head = text[: text.index("\nWhere the time went")]
    assert not re.search(r"\b0 (s|B|h)\b", head)
    for figure in ("CPU time", "where wall time went", "peak memory", "bytes on disk"):
        assert figure in text[text.index("Not measured:") :]


def test_it_says_what_matters(report: RunReport) -> None:
    text = terminal.render(report, color=False, width=100)
    for words in (
        "rnaseq · snakemake 9.27.0 · succeeded", "50 tasks", "all succeeded, 2 retries",
        "align asked for 4 cores and used 1.04 on average", "1.04 of 4", "1.40 GiB of 8 GiB",
        "sort was blocked on disk for 71 %", "no named process", "and 40 more tasks",
        "Not measured: bytes on the network.", "kernel.perf_event_paranoid is 3",
    ):  # fmt: skip
        assert words in " ".join(text.split()), words


def test_a_run_without_tasks_says_so(empty: RunReport) -> None:
    text = terminal.render(empty, color=False, width=100)
    assert "0 tasks" in text
    assert "What stands out" not in text


def test_a_long_list_shows_its_top_and_how_many_more() -> None:
    tasks = [task(f"t{n}", step=f"step{n % 40:03d}", spool=str(n)) for n in range(41)]
    text = terminal.render(summarise({"tasks": table("tasks", tasks)}, RUN), width=100)
    assert "and 25 more steps" in text
    assert "and 31 more tasks" in text
    assert "step020" not in text


def test_tasks_that_are_steps_are_listed_once() -> None:
    tasks = [task(f"t{n}", step=f"s{n}", spool=str(n)) for n in range(3)]
    for rows, listed in ((tasks, False), ([*tasks, task("t9", step="s0", spool="9")], True)):
        text = terminal.render(summarise({"tasks": table("tasks", rows)}, RUN), width=100)
        assert ("Costliest tasks" in text) is listed


def test_a_sum_that_lacks_a_part_is_marked_as_a_lower_bound() -> None:
    tasks = [task("a"), task("b", cpu_s=None)]
    text = terminal.render(summarise({"tasks": table("tasks", tasks)}, RUN), width=100)
    assert "≥6.00 s" in text
    assert "CPU time (1 attempt)" in text


MOVED = {"network_rx_bytes": 3 << 20, "network_tx_bytes": 9 << 10, "network_source": "sock_diag"}


def test_network_bytes_have_columns_only_where_they_were_measured() -> None:
    without, both = [
        Report.of(summarise({"tasks": table("tasks", tasks)}, RUN))
        for tasks in ([task("a")], [task("a"), task("b", **MOVED)])
    ]
    for form in (lambda r: r.text(140), lambda r: r.markdown(), lambda r: r._repr_html_()):
        assert "received" not in form(without)
        assert form(both).count("received") >= 2  # headline and steps
        assert "3.00 MiB" in form(both)
    assert "Network bytes by sock_diag; only TCP, and not what" in " ".join(both.text(140).split())
    assert "Network bytes" not in without.text(140)


def test_a_number_of_processes_that_nobody_counted_is_a_bound() -> None:
    counted = {"process_count": 1200, "short_process_count": 1100}
    tasks = [task("a", **counted, process_count_source="perf"),
             *(task(n, **counted, process_count_source="estimated") for n in "bc")]  # fmt: skip
    report = summarise({"tasks": table("tasks", tasks)}, RUN)
    text = " ".join(terminal.render(report, width=140).split())
    assert text.count("at most 1,200") == 2
    assert (
        "1,200 processes counted, 1,100 shorter than one polling interval; at most 2,400 in 2"
        in text
    )
    assert "3,600" not in text
    assert markdown.render(report).count("at most 1,200") == 2


def test_every_finding_says_what_to_do(report: RunReport) -> None:
    assert set(ADVICE) == set(SENTENCES)
    advised = [advice(finding, report) for finding in report.findings]
    assert all(said.endswith(".") for said in advised)
    text = " ".join(terminal.render(report, width=100).split())
    page = markdown.render(report)
    shown = [point.advice for point in points(report)]
    assert set(shown[:5]) <= set(advised)
    for said in shown[:5]:
        assert " ".join(said.split()) in text
        assert markdown.prose(said) in page
    assert [row["advice"] for row in json.as_dict(report)["findings"]] == advised


def test_every_finding_has_a_sentence(report: RunReport, hostile: RunReport) -> None:
    import inspect

    from tracer_hooks.analysis import findings

    source = inspect.getsource(findings)
    kinds = set(re.findall(r'Finding\("(\w+)"|_waiting\("\w+", "(\w+)"\)', source))
    named = {one or other for one, other in kinds}
    named |= {f"attempts_{status}" for status in ("failed", "lost", "cancelled")}
    assert named == set(SENTENCES)


def test_a_bar_fills_its_width_and_shares_it_out() -> None:
    parts = [(0.5, "a", ""), (0.3, "b", ""), (0.2, "c", "")]
    assert bar(parts, 10).plain == "aaaaabbbcc"
    assert bar(parts, 10, 0.2).plain == "ab        "
    assert bar(parts, 10, 1e-9).plain == "a" + " " * 9
    assert bar(parts, 10, 0.0).plain == " " * 10


# Without shrinking, which takes minutes where an example takes half a second.
@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(runs())
def test_rendering_never_fails(tables: dict[str, object]) -> None:
    report = Report.of_run(tables, RUN)
    for width in (40, 100):
        text = report.text(width)
        assert widest(text) <= width
    json.render(report)
    markdown.render(report)
    report._repr_html_()


def test_nothing_left_over_is_not_less_than_nothing() -> None:
    """A process's own clock may run ahead of the totals; JSON keeps the difference."""
    tool = {"task_id": "a", "attempt": 1, "tool": "x", "count": 1, "cpu_s": 6.01, "spool": "a.1.x"}
    tables = {"tasks": table("tasks", [task("a")]), "tools": table("tools", [tool])}
    report = Report.of(summarise(tables, RUN))
    for text in (report.text(100), report.markdown(), report._repr_html_()):
        assert "-10.0 ms" not in text
        assert "\N{MINUS SIGN}" not in text
    assert json.as_dict(report)["tools"][-1]["cpu_s"] == pytest.approx(-0.01)


def test_a_command_to_type_is_not_broken() -> None:
    failed = [task("failing/A", status="failed", step="failing")]
    report = summarise({"tasks": table("tasks", failed)}, RUN)
    for width in (40, 60, 80, 100):
        assert f"`tracer-hooks show {RUN} failing/A`" in terminal.render(report, width=width)
