"""Nextflow's own trace file (`-with-trace`), read with the standard library alone.

The file is tab-separated. Unless `trace.raw` is set its values are written for people: `1.5 GB`
(powers of two), `1m 2s`, `98.2%`, and `-` for what is not known.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    from pathlib import Path

_SIZES = {"": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40, "PB": 1 << 50}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class TraceRow:
    """One attempt as Nextflow measured it; None is what it does not know."""

    hash: str  # the first eight digits, without the slash
    name: str
    status: str | None
    exit_code: int | None
    wall_s: float | None  # `realtime`
    cpu_s: float | None  # `%cpu` of `realtime`
    memory_peak_bytes: int | None  # `peak_rss`
    read_chars: int | None  # `rchar`
    write_chars: int | None  # `wchar`


def read_trace(path: Path) -> list[TraceRow]:
    """The rows of a trace file. Raises TracerError for a file that is none."""
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except OSError as error:
        raise TracerError(f"cannot read {path}: {error.strerror}") from None
    if not rows or "hash" not in rows[0]:
        raise TracerError(
            f"{path} is no Nextflow trace with a hash column: make one with"
            " `nextflow run … -with-trace trace.txt`"
        )
    return [_row(row) for row in rows]


def _row(row: dict[str, str | None]) -> TraceRow:
    def text(name: str) -> str | None:
        value = (row.get(name) or "").strip()
        return None if value in ("", "-") else value

    wall_s, share = seconds(text("realtime")), text("%cpu")
    percent = float(share.rstrip("%")) if share else None
    code = text("exit")
    return TraceRow(
        hash=(text("hash") or "").replace("/", "")[:8],
        name=text("name") or "",
        status=text("status"),
        exit_code=int(code) if code and code.lstrip("-").isdigit() else None,
        wall_s=wall_s,
        cpu_s=None if wall_s is None or percent is None else percent / 100 * wall_s,
        memory_peak_bytes=size(text("peak_rss")),
        read_chars=size(text("rchar")),
        write_chars=size(text("wchar")),
    )


def size(value: str | None) -> int | None:
    """Bytes: `1.5 GB`, or a plain number as `trace.raw` gives."""
    match = re.fullmatch(r"([\d.]+)\s*([KMGTP]?B?)", value or "")
    if not match:
        return None
    return int(float(match[1]) * _SIZES["" if match[2] == "B" else match[2]])


def seconds(value: str | None) -> float | None:
    """Seconds: `1m 2s`, `158ms`, or a plain number of milliseconds as `trace.raw` gives."""
    if value is None:
        return None
    if value.isdigit():
        return int(value) / 1000
    parts = re.findall(r"([\d.]+)\s*(ms|s|m|h|d)\b", value)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None
