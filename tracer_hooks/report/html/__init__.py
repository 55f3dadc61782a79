"""The report as one HTML file for browsers: it needs no network and runs nothing but its own code.

`page` puts it together from Jinja templates, `css/` and `js/` (plain files, no build step) and
Apache ECharts (`assets/`, built by `assets/build.sh`). What the script needs beyond the markup is
compressed JSON in the page (`payload`), so that no name can ever be read as markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport


def render(report: RunReport, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - protocol
    """The whole document; with `report.detail` also the courses and single tasks in full."""
    from tracer_hooks.report.html.page import document

    return document(report)
