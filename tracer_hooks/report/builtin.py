"""The report formats that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.plugins import hookimpl
from tracer_hooks.report.renderer import LazyRenderer

if TYPE_CHECKING:
    from tracer_hooks.report.renderer import Renderer

# In one HTML file; each costs about 3 KB of it and 70 ms of analysis.
TASK_PAGES = 40


@hookimpl
def tracer_hooks_report_renderers() -> dict[str, Renderer]:
    """Text for terminals, JSON for programs, Markdown for pull requests, HTML for browsers."""
    return {
        "text": LazyRenderer("tracer_hooks.report.terminal"),
        "json": LazyRenderer("tracer_hooks.report.json"),
        "markdown": LazyRenderer("tracer_hooks.report.markdown"),
        "html": LazyRenderer("tracer_hooks.report.html", task_pages=TASK_PAGES, suffix=".html"),
    }
