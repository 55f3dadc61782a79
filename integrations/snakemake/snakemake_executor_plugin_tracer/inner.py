"""Any other executor, with its jobs observed where they run.

The scheduler gets the inner executor itself: an object of its own class, made as Snakemake would
make it. Three of its methods are wrapped on that one object: the command line of a remote job gets
the hand-over in front, submission is noted, and the end is noticed. Rules that the workflow marks
as local run on this machine, in the traced local executor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snakemake_executor_plugin_tracer.common import inner_plugin
from snakemake_executor_plugin_tracer.complaints import complain, explain
from snakemake_executor_plugin_tracer.handover import VARIABLE
from snakemake_executor_plugin_tracer.local import TracedLocalExecutor

if TYPE_CHECKING:
    from snakemake_executor_plugin_tracer.run_tracing import RunTracing
    from snakemake_executor_plugin_tracer.settings import ExecutorSettings


def inner_executor(workflow: Any, logger: Any, settings: ExecutorSettings) -> Any:
    """The inner executor as Snakemake makes it, with its own settings."""
    # Executors read their settings from the workflow, where Snakemake put ours.
    workflow.executor_settings = settings.inner_settings
    return inner_plugin(settings.inner or "local").executor(workflow, logger)


def trace_local_rules(tracing: RunTracing) -> None:
    """Have rules that run beside a remote executor, on this machine, traced too."""
    plugin = inner_plugin("local")
    original = plugin.executor
    plugin.executor = type("Executor", (TracedLocalExecutor,), {"tracing": tracing})

    def put_back() -> None:
        plugin.executor = original

    tracing.at_end.append(put_back)


def trace_remote_jobs(executor: Any, tracing: RunTracing) -> None:
    """Wrap what a remote executor says of its jobs; only on this object."""
    run_jobs, format_job_exec = executor.run_jobs, executor.format_job_exec
    shutdown, cancel = executor.shutdown, executor.cancel
    cancelled = False

    def traced_run_jobs(jobs: Any) -> Any:
        tracing.submit(jobs)
        return run_jobs(jobs)

    def traced_format_job_exec(job: Any) -> str:
        line: str = format_job_exec(job)
        try:
            return f"export {VARIABLE}={tracing.handover(job).encode()} && {line}"
        except Exception as error:
            complain("handover", f"remote jobs run without being observed ({explain(error)})")
            return line

    def traced_shutdown() -> None:
        shutdown()
        tracing.finish(cancelled=cancelled)

    def traced_cancel() -> None:
        nonlocal cancelled
        cancelled = True  # most executors end themselves with shutdown() from here
        try:
            cancel()
        finally:
            tracing.finish(cancelled=True)

    executor.run_jobs = traced_run_jobs
    executor.format_job_exec = traced_format_job_exec
    executor.shutdown = traced_shutdown
    executor.cancel = traced_cancel
