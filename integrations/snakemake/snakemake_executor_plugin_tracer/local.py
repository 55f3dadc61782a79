"""Snakemake's local executor, with each job's command under the supervisor.

Nothing of the stock executor is replaced: every method does what the stock method does, around it
a job's thread knows which job it runs, and the command line that starts a `run:` or shadow job has
the supervisor in front. What cannot be observed runs as it always did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snakemake.executors import local as stock
from snakemake_interface_executor_plugins.settings import ExecMode

from snakemake_executor_plugin_tracer.current_attempt import current_attempt, running_as

if TYPE_CHECKING:
    from snakemake_executor_plugin_tracer.tracing import Tracing


class TracedLocalExecutor(stock.Executor):  # type: ignore[misc]  # Snakemake has no types
    """Runs jobs as the stock local executor does and has them observed."""

    tracing: Tracing

    def run_jobs(self, jobs: Any) -> None:
        """Jobs are ready: from here on they wait for a thread of the pool."""
        self.tracing.submit(jobs)
        super().run_jobs(jobs)

    def run_single_job(self, job: Any) -> Any:
        """In a remote job, spawn a `run:` job as the stock executor does on the user's machine.

        There, Snakemake would run it in a thread of its own process, where a job cannot be told
        from Snakemake.
        """
        remote = self.workflow.exec_mode == ExecMode.REMOTE
        if remote and job.is_run and not job.is_template_engine and self.tracing.works():
            return self.pool.submit(self.cached_or_run, job, self.spawn_job, job)
        return super().run_single_job(job)

    def cached_or_run(self, job: Any, run_func: Any, *args: Any) -> Any:
        """Run a job, or fetch its result from the cache: only the first is an attempt."""
        attempt = self.tracing.attempt(job)
        if attempt is not None:
            run_func = running_as(attempt, run_func)
        return super().cached_or_run(job, run_func, *args)

    def format_job_exec(self, job: Any) -> str:
        """The command line that `spawn_job` runs: a Snakemake of its own for one job."""
        line: str = super().format_job_exec(job)
        attempt = current_attempt()
        return line if attempt is None else attempt.supervise_line(line)

    def shutdown(self) -> None:
        """All jobs have ended."""
        super().shutdown()
        self.tracing.finish()

    def cancel(self) -> None:
        """The user wants the run to end, or an error makes it end."""
        try:
            super().cancel()
        finally:
            self.tracing.finish(cancelled=True)
