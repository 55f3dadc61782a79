"""`--executor tracer`: decides what the scheduler gets."""

from __future__ import annotations

from typing import Any

from snakemake.executors import local as stock

from snakemake_executor_plugin_tracer import benchmark_handover, compatibility, shell_handover
from snakemake_executor_plugin_tracer.common import NO_INNER
from snakemake_executor_plugin_tracer.complaints import complain, explain
from snakemake_executor_plugin_tracer.inner import (
    inner_executor,
    trace_local_rules,
    trace_remote_jobs,
)
from snakemake_executor_plugin_tracer.local import TracedLocalExecutor
from snakemake_executor_plugin_tracer.run_tracing import RunTracing
from snakemake_executor_plugin_tracer.settings import ExecutorSettings


class Executor(TracedLocalExecutor):
    """The traced local executor; or the inner executor, with its jobs traced.

    Making one gives an object of this class only for local jobs on a Snakemake that is made as we
    know it. Otherwise it gives the stock local executor, or the inner one, itself.
    """

    def __new__(cls, workflow: Any, logger: Any) -> Any:
        """What the scheduler is to use."""
        settings = workflow.executor_settings
        if not isinstance(settings, ExecutorSettings):  # the Python API may give none
            settings = ExecutorSettings()
        tracing = _tracing(workflow, settings)
        if settings.inner in NO_INNER:
            if tracing is None:
                return stock.Executor(workflow, logger)
            executor = super().__new__(cls)
            executor.tracing = tracing
            return executor
        if tracing is not None:
            trace_local_rules(tracing)
        executor = inner_executor(workflow, logger, settings)
        if tracing is not None:
            trace_remote_jobs(executor, tracing)
        return executor


def _tracing(workflow: Any, settings: ExecutorSettings) -> RunTracing | None:
    """The tracing of this run; None, and one warning, where this Snakemake is not as we know it."""
    try:
        problems = compatibility.differences()
        if problems:
            complain(
                "compatibility",
                "this Snakemake is made differently from those that are supported "
                f"({'; '.join(problems)}): the jobs run as always, nothing is recorded",
            )
            return None
        tracing = RunTracing(workflow, settings)
        shell_handover.install()
        benchmark_handover.install()
    except Exception as error:
        complain("start", f"nothing is recorded ({explain(error)})")
        return None
    return tracing
