"""Inside a remote job: put the traced local executor in place of the stock one.

Every Snakemake process imports all executor plugins. Started by an executor that we handed over
to, this process runs its job with the executor `local`, which Snakemake registers right after the
plugins, from `snakemake.executors.local`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snakemake_executor_plugin_tracer import benchmark_handover, compatibility, shell_handover
from snakemake_executor_plugin_tracer.complaints import complain, explain
from snakemake_executor_plugin_tracer.tracing import RemoteTracing

if TYPE_CHECKING:
    from snakemake_executor_plugin_tracer.handover import Handover


def trace_this_process(received: Handover) -> None:
    """Trace the jobs that this process runs itself. Never raises."""
    try:
        if compatibility.differences():
            return  # the Snakemake that submitted this job is the same and has said so
        from snakemake.executors import local as stock

        from snakemake_executor_plugin_tracer.local import TracedLocalExecutor

        tracing = RemoteTracing(received)
        stock.Executor = type("Executor", (TracedLocalExecutor,), {"tracing": tracing})
        shell_handover.install()
        benchmark_handover.install()
    except Exception as error:
        complain("remote", f"this remote job runs without being observed ({explain(error)})")
