"""The formats by the name of the engine, each imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer_hooks.analysis.sizing import Sizing

ENGINES = ("nextflow", "snakemake", "airflow", "slurm")


def render_for(engine: str, sizing: Sizing) -> str:
    """The configuration for one of ENGINES."""
    text: str = import_module(f"tracer_hooks.tuning.{engine}").render(sizing)
    return text
