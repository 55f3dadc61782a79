"""All dashboards, and what their files hold."""

from __future__ import annotations

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from tracer_hooks.export.grafana.source.beside import beside
from tracer_hooks.export.grafana.source.cost import cost
from tracer_hooks.export.grafana.source.fleet import fleet
from tracer_hooks.export.grafana.source.run import run
from tracer_hooks.export.grafana.source.steps import steps
from tracer_hooks.export.grafana.source.tools import tools

BOARDS = (fleet, run, steps, tools, cost, beside)


def written() -> dict[str, str]:
    """The text of each file by its name."""
    found = {}
    for build in BOARDS:
        board = build().build()
        # Each panel has a number, by which links and alerts find it.
        for number, panel in enumerate(board.panels or [], 1):
            panel.id_val = number
        text = JSONEncoder(indent=1, sort_keys=True, ensure_ascii=False).encode(board)
        found[f"{board.uid}.json"] = text + "\n"
    return found
