"""The costs of many runs: as text, Markdown, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.cost import PARTS, money, price_notes
from tracer_hooks.report.cost_json import rounded
from tracer_hooks.report.layout import MIN_WIDTH, Column, Page
from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import UNKNOWN, count, duration, percent, plural

if TYPE_CHECKING:
    from tracer_hooks.analysis.cost import RollUp

_SHOWN = 40
_NAME = 60
_NOT_KEYS = {"attempts", "wall_s", "allocated", *PARTS, "failed", "unpriced_share"}
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Costs:
    """A renderer of a roll-up in one of four formats."""

    format: str = "text"
    limit: int | None = None

    def render(self, found: RollUp, *, color: bool, width: int) -> str:
        """The whole text, which ends in a line break."""
        if self.format == "json":
            return _json(found, self.limit)
        if self.format == "csv":
            return _csv(found, self.limit)
        limit = self.limit or _SHOWN
        return _markdown(found, limit) if self.format == "markdown" else _text(
            found, limit, color, width
        )  # fmt: skip


def _rows(found: RollUp, limit: int | None) -> list[dict[str, Any]]:
    return records(found.rows if limit is None else found.rows.head(limit))


def _json(found: RollUp, limit: int | None) -> str:
    body = {
        "schema_version": SCHEMA_VERSION,
        "by": found.by,
        "rows": rounded(_rows(found, limit)),
        "total": rounded(dict(found.total)),
        "unpriced_hosts": {host: why for host, why in found.hosts.items() if why},
    }
    return json.dumps(body, indent=1, allow_nan=False) + "\n"


def _csv(found: RollUp, limit: int | None) -> str:
    """Every row with the currency, and hosts' idle time as a row of its own; a missing price is an
    empty cell."""
    currency = found.total["currency"]
    columns = [*map(str, found.rows.columns), "currency"]
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    for row in rounded(_rows(found, limit)):
        writer.writerow({**row, "currency": currency})
    if found.total["idle"] is not None:
        idle = rounded(found.total["idle"])
        writer.writerow({columns[0]: "(idle)", "allocated": idle, "currency": currency})
    return file.getvalue()


def _text(found: RollUp, limit: int, color: bool, width: int) -> str:
    page = Page(max(MIN_WIDTH, width))
    page.heading(f"Cost by {clean(found.by)}", _note(found))
    columns = [
        Column(found.by, names=True, least=14), Column("attempts", rank=3),
        Column("wall", rank=4), Column("cost"), Column("useful", rank=1),
        Column("headroom", rank=2),
        Column("over-requested", rank=1), Column("not measured", rank=3), Column("failed", rank=1),
        Column("unpriced", rank=2),
    ]  # fmt: skip
    page.table(columns, _cells(found, limit))
    rest = len(found.rows) - limit
    if rest > 0:
        page.line((f"and {plural(rest, 'more row')}; --limit shows them", "dim"))
    for line in price_notes(found.total, found.hosts):
        page.paragraph(line, style="dim")
    return page.render(color=color).lstrip("\n")


def _markdown(found: RollUp, limit: int) -> str:
    from tracer_hooks.report.markdown import escaped, prose

    titles = [found.by, "attempts", "wall", "cost", *PARTS.values(), "failed", "unpriced"]
    rule = [":--", *["--:"] * (len(titles) - 1)]
    lines = [titles, rule, *([escaped(str(c)) for c in row] for row in _cells(found, limit))]
    text = [f"### Cost by {escaped(clean(found.by))}", ""]
    text += [f"| {' | '.join(line)} |" for line in lines]
    notes = [_note(found), *price_notes(found.total, found.hosts)]
    text += ["", *(f"- {prose(line)}" for line in notes if line)]
    rest = len(found.rows) - limit
    if rest > 0:
        text.append(f"- and {count(rest)} more")
    return "\n".join(text) + "\n"


def _cells(found: RollUp, limit: int) -> list[list[str]]:
    currency = found.total["currency"]
    rows = [_line(_key(row), row, currency) for row in _rows(found, limit)]
    rows.append(_line("all", found.total, currency))
    if found.total["idle"] is not None:
        idle = [""] * len(rows[0])
        idle[0], idle[3] = "idle hosts", money(found.total["idle"], currency)
        rows.append(idle)
    return rows


def _line(name: str, row: Any, currency: str | None) -> list[str]:
    return [
        name,
        count(row.get("attempts")) if row.get("attempts") is not None else "",
        duration(row.get("wall_s")) if row.get("wall_s") is not None else "",
        money(row["allocated"], currency),
        *(_of(row[part], row["allocated"]) for part in PARTS),
        money(row["failed"], currency) if row["failed"] else "",
        percent(row["unpriced_share"]) if row.get("unpriced_share") else "",
    ]


def _of(part: float | None, whole: float | None) -> str:
    if part is None or whole is None:
        return UNKNOWN
    return percent(part / whole) if part and whole else ""


def _key(row: dict[str, Any]) -> str:
    """What the row is of: a task's name comes with its run."""
    keys = [value for name, value in row.items() if name not in _NOT_KEYS]
    return " · ".join(fit(key, _NAME) for key in keys)


def _note(found: RollUp) -> str:
    total = found.total
    if total["allocated"] is None:
        return ""
    as_of = f", as of {total['price_as_of']}" if total["price_as_of"] else ""
    return f"prices: {clean(total['price_source'])}{as_of}; method {total['method']}"
