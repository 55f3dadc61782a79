"""The report formats that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.plugins import hookimpl
from tracer_hooks.report.renderer import LazyRenderer

if TYPE_CHECKING:
    from tracer_hooks.report.renderer import Renderer


@hookimpl
def tracer_hooks_report_renderers() -> dict[str, Renderer]:
    """Text for terminals, JSON for programs, Markdown for pull requests."""
    return {
        "text": LazyRenderer("tracer_hooks.report.terminal"),
        "json": LazyRenderer("tracer_hooks.report.json"),
        "markdown": LazyRenderer("tracer_hooks.report.markdown"),
    }
