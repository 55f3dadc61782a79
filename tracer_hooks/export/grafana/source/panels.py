"""Panels as these dashboards have them: one look, and a sentence that says what is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import common as commons
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    FieldColor,
    Row,
)
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models import dashboard
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

    from tracer_hooks.export.grafana.source.queries import Query

    Panel = Builder[dashboard.Panel]

TAG = "tracer-hooks"
# Colours of what a task did and of how it ended, the same on every page.
COLOURS = {
    "on CPU": "#4c78a8", "ready": "#f2cf5b", "disk": "#e45756", "network": "#72b7b2",
    "idle": "#bab0ac", "cpu": "#4c78a8", "runnable": "#f2cf5b",
    "useful": "#54a24b", "headroom": "#4c78a8", "over_requested": "#f58518",
    "unmeasured": "#bab0ac", "idle_cost": "#d5d2d0", "failed": "#e45756",
}  # fmt: skip
STATES = {
    "succeeded": "#54a24b", "failed": "#e45756", "cancelled": "#bab0ac", "lost": "#b279a2",
    "running": "#4c78a8",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """How wide (of 24) and high a panel is."""

    width: int = 12
    height: int = 8


THIRD, HALF, WHOLE = Place(8), Place(12), Place(24)


def page(uid: str, title: str, about: str) -> Dashboard:
    """An empty dashboard with links to the others."""
    links = DashboardLink("tracer-hooks").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return (
        Dashboard(title).uid(uid).description(about).tags([TAG]).readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR).timezone("browser")
        .link(links.as_dropdown(True).include_vars(False).keep_time(True))
    )  # fmt: skip


def row(title: str) -> Row:
    """A heading."""
    return Row(title)


def lines(
    title: str, about: str, source: DataSourceRef, unit: str, *queries: Query,
    stacked: bool = False, place: Place = HALF, points: bool = False,
) -> timeseries.Panel:  # fmt: skip
    """Series over time; `points`: each value is a run's, so it is marked."""
    panel = _common(timeseries.Panel(), title, about, source, place, queries).unit(unit)
    legend = (
        commons.VizLegendOptions().display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.RIGHT).show_legend(True).calcs(["mean", "max"])
    )  # fmt: skip
    panel = panel.legend(legend).fill_opacity(25 if stacked else 5).min(0)
    panel = panel.show_points(VisibilityMode.ALWAYS if points else VisibilityMode.NEVER)
    if stacked:
        panel = panel.stacking(commons.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return _coloured(panel)


def bars(
    title: str, about: str, source: DataSourceRef, unit: str, *queries: Query,
    place: Place = HALF,
) -> timeseries.Panel:  # fmt: skip
    """As `lines`, stacked bars."""
    panel = lines(title, about, source, unit, *queries, stacked=True, place=place)
    return panel.draw_style(GraphDrawStyle.BARS).fill_opacity(80)


def figures(
    title: str, about: str, source: DataSourceRef, units: dict[str, str], *queries: Query,
    place: Place = WHOLE,
) -> stat.Panel:  # fmt: skip
    """Single figures; `units` by name of the field, "" for all others."""
    panel = _common(stat.Panel(), title, about, source, place, queries)
    panel = panel.graph_mode(BigValueGraphMode.NONE).orientation(VizOrientation.VERTICAL)
    panel = panel.unit(units.get("", "short")).no_value("-")
    # Text fields too: how a run ended is one.
    panel = panel.reduce_options(
        commons.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/").values(False)
    )
    for name, unit in units.items():
        if name:
            panel = panel.override_by_name(name, [DynamicConfigValue(id_val="unit", value=unit)])
    return panel


def league(
    title: str, about: str, source: DataSourceRef, unit: str, query: Query, place: Place = HALF
) -> bargauge.Panel:
    """A horizontal bar for each row of an answer: its first text, its figure."""
    panel = _common(bargauge.Panel(), title, about, source, place, (query,)).unit(unit)
    panel = panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)
    return panel.reduce_options(commons.ReduceDataOptions().values(True).limit(25)).min(0)


def rows_of(
    title: str, about: str, source: DataSourceRef, units: dict[str, str], query: Query,
    place: Place = WHOLE, links: dict[str, str] | None = None, hidden: tuple[str, ...] = (),
) -> table.Panel:  # fmt: skip
    """A table; `units` by column, `links`: addresses by column, with Grafana's own variables."""
    panel = _common(table.Panel(), title, about, source, place, (query,)).filterable(True)
    properties: dict[str, list[DynamicConfigValue]] = {}
    for name, unit in units.items():
        properties.setdefault(name, []).append(DynamicConfigValue(id_val="unit", value=unit))
    for name, url in (links or {}).items():
        link = [{"title": "Open", "url": url}]
        properties.setdefault(name, []).append(DynamicConfigValue(id_val="links", value=link))
    for name in hidden:
        properties[name] = [DynamicConfigValue(id_val="custom.hidden", value=True)]
    for name, found in properties.items():
        panel = panel.override_by_name(name, found)
    return panel.mappings([_states()])


def gantt(
    title: str, about: str, source: DataSourceRef, query: Query, by: str, place: Place
) -> statetimeline.Panel:
    """A line for each value of the column `by`: what state it was in, and when."""
    panel = _common(statetimeline.Panel(), title, about, source, place, (query,))
    # One frame each: in a frame that all share, every other line's points would be gaps.
    partition = {"fields": [by], "keepFields": False, "naming": {"asLabels": True}}
    panel = panel.with_transformation(
        DataTransformerConfig(id_val="partitionByValues", options=partition)
    )
    panel = panel.mappings([_states()]).merge_values(False).show_value(VisibilityMode.NEVER)
    return panel.row_height(0.8).per_page(40).fill_opacity(85).line_width(0)


def _common(
    panel: Any, title: str, about: str, source: DataSourceRef, place: Place, queries: Any
) -> Any:
    panel = panel.title(title).description(about).datasource(source)
    panel = panel.span(place.width).height(place.height)
    for query in queries:
        panel = panel.with_target(query)
    return panel


def _coloured(panel: timeseries.Panel) -> timeseries.Panel:
    panel = panel.color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
    for name, colour in {**COLOURS, **STATES}.items():
        fixed = {"mode": "fixed", "fixedColor": colour}
        panel = panel.override_by_name(name, [DynamicConfigValue(id_val="color", value=fixed)])
    return panel


def _states() -> ValueMapping:
    shown = {
        name: ValueMappingResult(text=name, color=colour, index=place)
        for place, (name, colour) in enumerate(STATES.items())
    }
    return ValueMap(options=shown)
