"""What an attempt asked for and used, and where its wall time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from rich.text import Text

from tracer_hooks.report.events import delays, limits
from tracer_hooks.report.layout import INDENT, Cell, Column, Page, bar
from tracer_hooks.report.palette import PARTS
from tracer_hooks.report.provenance import network_blind_spot
from tracer_hooks.report.text import clean
from tracer_hooks.report.units import UNKNOWN, asked, cores, count, duration, number, percent, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The kind of each event and its detail.
# Where the kernel's word of one process is more than any look saw.
_HELD = dict.fromkeys(("rusage", "taskstats"), "the largest process that ended")
Happened: TypeAlias = "Sequence[tuple[str, Mapping[str, Any]]]"


def use(page: Page, a: Mapping[str, Any], happened: Happened) -> None:
    """A line for each resource: asked for, allowed by the cgroup, used."""
    page.heading("Asked for and used")
    note = f"{duration(a['cpu_s'])} of CPU time"
    if a["cpu_unattributed_s"] and a["cpu_s"]:
        note += f", {percent(a['cpu_unattributed_s'] / a['cpu_s'])} of no named process"
    held = _HELD.get(a["memory_source"] or "", "all processes at one moment")
    source = f" ({clean(a['memory_source'])})" if a["memory_source"] else ""
    blind = network_blind_spot(a["network_source"] or "")
    allowed = limits(next((detail for kind, detail in happened if kind == "limit"), {}))
    estimated = a["process_count_source"] in (None, "estimated")
    most = "at most " if estimated and a["process_count"] is not None else ""
    figures = (
        ("cores", asked(number(a["cpus_requested"])), cores(a["cores_mean"]), note),
        ("memory", asked(size(a["memory_requested_bytes"])), size(a["memory_peak_bytes"]),
         f"peak, {held}{source}"),
        ("time", asked(duration(a["time_requested_s"])), duration(a["wall_s"]), ""),
        ("read", UNKNOWN, size(a["disk_read_bytes"]), _with_cache(a["io_read_chars"])),
        ("written", UNKNOWN, size(a["disk_write_bytes"]), _with_cache(a["io_write_chars"])),
        ("received", UNKNOWN, size(a["network_rx_bytes"]), blind),
        ("sent", UNKNOWN, size(a["network_tx_bytes"]), ""),
        ("processes", UNKNOWN, most + count(a["process_count"]), _short(a, most)),
    )  # fmt: skip
    rows: list[list[Cell]] = [
        [Text(name, style="dim"), request if request != UNKNOWN else "", allowed.get(name, ""),
         used, Text(said, "dim")]
        for name, request, used, said in figures
        if request != UNKNOWN or used != UNKNOWN
    ]  # fmt: skip
    columns = [
        Column("", names=True, least=9), Column("asked"), Column("allowed", rank=1),
        Column("used"),
        Column("", names=True, least=10),
    ]  # fmt: skip
    page.table(columns, rows)


def _with_cache(chars: int | None) -> str:
    return "" if chars is None else f"{size(chars)} with the page cache"


def _short(a: Mapping[str, Any], most: str) -> str:
    short = a["short_process_count"]
    text = "" if short is None else f"{most}{count(short)} shorter than one polling interval"
    # What is no count is said so already.
    source = "" if most else a["process_count_source"]
    return text + (f" ({clean(source)})" if source else "")


def waits(page: Page, a: Mapping[str, Any], happened: Happened) -> None:
    """The five parts of the wall time, and what the kernel itself counted of waiting."""
    parts = [(a[f"wall_{part.name}_s"], part) for part in PARTS]
    page.heading("Where the wall time went")
    known = [seconds for seconds, _ in parts if seconds is not None]
    whole = sum(known)
    if len(known) < len(parts) or not whole:
        page.line(("not measured", "dim"))
        return
    shares = [(seconds / whole, part.sign, part.style) for seconds, part in parts]
    page.line(bar(shares, page.width - INDENT))
    for seconds, part in parts:
        page.line(
            (part.sign * 2, part.style),
            f" {part.title:<26}{duration(seconds):>9}{percent(seconds / whole):>8}",
        )
    for kind, detail in happened:
        if kind == "delays" and (text := delays(detail)):
            page.paragraph(text, style="dim")
