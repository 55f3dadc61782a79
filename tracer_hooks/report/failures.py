"""What failed: each way in which attempts went wrong, the evidence, and what retries cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from tracer_hooks.analysis.failure_evidence import explain
from tracer_hooks.analysis.failures import WAY
from tracer_hooks.analysis.tables import records
from tracer_hooks.report.events import name_of
from tracer_hooks.report.failure_sentences import evidence_lines, last_words
from tracer_hooks.report.layout import Column
from tracer_hooks.report.palette import STATUS_STYLES
from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import UNKNOWN, count, duration, number, plural, whole_percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.summary import RunReport
    from tracer_hooks.report.layout import Cell, Page

MAX_GROUPS = 8
MAX_EXAMPLES = 4
MAX_RETRIES = 5
MAX_ROWS = 1000
_CAUSES = {
    "oom": "out of memory", "timeout": "out of time", "cancelled": "cancelled", "signal": "killed",
    "unknown": "cause unknown",
}  # fmt: skip
TITLES = ("step", "how", "attempts", "not made good", "wall time", "CPU", "cost")


def how(row: Mapping[str, Any]) -> str:
    """How an attempt, or a group of them, ended: `out of memory, SIGKILL`, `exit status 3`."""
    words = []
    cause = row["failure_cause"]
    if row["status"] == "lost":
        words.append("lost")
    elif cause in _CAUSES:
        words.append(_CAUSES[cause])
    elif cause and cause != "exit_code":
        words.append(clean(cause))
    if row["signal"]:
        words.append(name_of(row["signal"]))
    elif row["exit_code"]:
        words.append(f"exit status {row['exit_code']}")
    return ", ".join(words) or row["status"] or UNKNOWN


def what_failed(page: Page, report: RunReport) -> None:
    """The section of a page; nothing where no attempt went wrong."""
    groups = group_rows(report)
    if not groups:
        return
    page.heading("What failed", spent(report))
    columns = [
        Column(TITLES[0], names=True, least=10), Column(TITLES[1], names=True, least=14),
        Column(TITLES[2]), Column(TITLES[3], rank=2), Column(TITLES[4], rank=1),
        Column(TITLES[5], rank=3), Column(TITLES[6], rank=1),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [fit(step, 40), Text(ended, STATUS_STYLES.get(status, "")), *rest]
        for status, (step, ended, *rest) in groups[:MAX_GROUPS]
    ]
    page.table(columns, rows)
    if len(groups) > MAX_GROUPS:
        page.line((f"and {plural(len(groups) - MAX_GROUPS, 'more way', 'more ways')}", "dim"))
    for subject, said in examples(report):
        page.paragraph(f": {said}", bold=subject, bullet="•")
    for line in retry_lines(report):
        page.paragraph(line, style="dim")


def group_rows(report: RunReport) -> list[tuple[str, list[str]]]:
    """The status and the cells under `TITLES` of each way in which attempts went wrong."""
    if report.failures is None:
        return []
    costs = _costs(report)
    return [
        (
            row["status"] or "",
            [
                clean(row["step"]), how(row), count(row["attempt_count"]),
                count(row["unrecovered_count"]), duration(row["wall_s"]), duration(row["cpu_s"]),
                costs.get(_way(row), UNKNOWN),
            ],
        )
        for row in records(report.failures.groups)
    ]  # fmt: skip


def spent(report: RunReport) -> str:
    """What the attempts that went wrong took of the run: `4m 10s of wall time, 12 % of all`."""
    if report.failures is None:
        return ""
    groups = records(report.failures.groups)
    known = [row["wall_s"] for row in groups if row["wall_s"] is not None]
    if not known:
        return ""
    text = f"{duration(sum(known))} of wall time"
    whole = report.totals["wall_s"]
    return text + (f", {whole_percent(sum(known) / whole)} of all" if whole else "")


def examples(report: RunReport, most: int = MAX_EXAMPLES) -> list[tuple[str, str]]:
    """For each of the first ways, one attempt and its evidence in a few sentences."""
    if report.failures is None:
        return []
    every, groups = report.failures.attempts, report.failures.groups.head(most)
    few = every[every["task_id"].isin(groups["task_id"])]
    rows = {(row["task_id"], row["attempt"]): row for row in records(few)}
    found = []
    for group in records(groups):
        row = rows.get((group["task_id"], group["attempt"]))
        if row is None:
            continue
        lines = [*evidence_lines(row, explain(row)), *last_words(row, explain(row))]
        if lines:
            name = fit(row["task_name"] or row["task_id"], 60)
            tried = f" (attempt {row['attempt']})" if row["attempt_count"] > 1 else ""
            found.append((name + tried, " ".join(lines)))
    return found


def retry_lines(report: RunReport) -> list[str]:
    """What was tried again, and what became of it."""
    if report.failures is None or report.failures.retries.empty:
        return []
    every = report.failures.retries
    good = (every["final_status"] == "succeeded").sum()
    tried = f"{count(len(every))} tasks were tried again"
    # Of one task its own line says it.
    lines = [f"{tried}; {count(good)} of them then succeeded."] if len(every) > 1 else []
    for row in records(every.head(MAX_RETRIES)):
        ended = [_ways(row["causes"])] if row["causes"] else []
        ended += ["then succeeded"] if row["final_status"] == "succeeded" else []
        text = f"{fit(row['task_name'] or row['task_id'], 60)}: {row['attempt_count']} attempts"
        text += f" ({', '.join(ended)})" if ended else ""
        spent_s = row["bad_wall_s"]
        lines.append(text + (f"; {duration(spent_s)} spent in vain." if spent_s else "."))
    if len(every) > MAX_RETRIES:
        lines.append(f"and {plural(len(every) - MAX_RETRIES, 'more task', 'more tasks')}")
    return lines


def as_rows(report: RunReport) -> list[dict[str, Any]]:
    """Each attempt that went wrong with its evidence, for programs; `MAX_ROWS` at most."""
    if report.failures is None:
        return []
    readings: dict[tuple[Any, Any], list[dict[str, Any]]] = {}
    for reading in records(report.failures.last_readings):
        key = (reading.pop("task_id"), reading.pop("attempt"))
        readings.setdefault(key, []).append(reading)
    kept = (
        "task_id", "attempt", "step", "status", "failure_cause", "exit_code", "signal", "ended_at",
        "wall_s", "cpu_s", "attempt_count", "final_status",
    )  # fmt: skip
    return [
        {name: row[name] for name in kept}
        | {
            "evidence": explain(row),
            "last_readings": readings.get((row["task_id"], row["attempt"]), []),
        }
        for row in records(report.failures.attempts.head(MAX_ROWS))
    ]


def _ways(causes: str) -> str:
    """`oom, oom, exit_code` as people say it."""
    said = {**_CAUSES, "exit_code": "failed"}
    words = [said.get(one, clean(one)) for one in causes.split(", ")]
    times = dict.fromkeys(words)
    return ", ".join(
        word if words.count(word) == 1 else f"{word} \N{MULTIPLICATION SIGN}{words.count(word)}"
        for word in times
    )


def _way(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in WAY)


def _costs(report: RunReport) -> dict[tuple[Any, ...], str]:
    """What each way cost in money, where prices are known for all of its attempts."""
    cost = report.cost
    if cost is None:
        return {}
    currency = clean(str(cost.run["currency"] or ""))
    return {
        _way(row): f"{number(row['allocated'])} {currency}".strip()
        for row in records(cost.failures)
        if row["allocated"] is not None
    }
