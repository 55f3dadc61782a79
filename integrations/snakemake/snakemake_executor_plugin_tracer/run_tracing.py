"""The run as a whole, in the Snakemake process that the user started: begin, bookkeeping, end."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from snakemake_executor_plugin_tracer import benchmark_handover, cards, shell_handover
from snakemake_executor_plugin_tracer.common import NO_INNER
from snakemake_executor_plugin_tracer.complaints import complain, explain
from snakemake_executor_plugin_tracer.handover import Handover
from snakemake_executor_plugin_tracer.summary import Summary
from snakemake_executor_plugin_tracer.tracing import Tracing
from tracer_hooks.adapter import RunRecord, store_path
from tracer_hooks.cards import secrets
from tracer_hooks.fork_server import ForkServer
from tracer_hooks.supervisor.identifiers import new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from snakemake_executor_plugin_tracer.settings import ExecutorSettings


class RunTracing(Tracing):
    """One run of a workflow. It leaves no trace before its first job is about to run."""

    def __init__(self, workflow: Any, settings: ExecutorSettings) -> None:
        super().__init__(
            run_id=settings.run or new_run_id(),
            store=str(store_path(settings.store)),
            pipeline=settings.pipeline or cards.pipeline_name(workflow.main_snakefile),
            capture=settings.capture,
            interval_s=settings.interval,
            redact=secrets(),
            argv_recorded=not settings.no_argv,
        )
        if settings.inner in NO_INNER:
            self.fork_server = ForkServer()
        self._workflow = workflow
        self._summary = None if settings.no_summary else Summary(self.run_id, self.store)
        self._inner = settings.inner
        self._record: RunRecord | None = None
        self._seen: set[str] = set()
        self._finished = False
        self.at_end: list[Callable[[], None]] = []

    def submit(self, jobs: Iterable[Any]) -> None:
        """Note when the jobs were submitted; the first of them begins the run's record."""
        jobs = list(jobs)
        super().submit(jobs)
        try:
            if self._record is None and self.works():
                self._begin()
            for job in jobs:
                for member in job.jobs if job.is_group() else (job,):
                    if cards.kind(member) not in ("none", "template_engine"):
                        self._seen.add(cards.task_id(member))
            self._expect_the_end()
        except Exception as error:
            complain("record", f"the run has no record of its own ({explain(error)})")

    def _begin(self) -> None:
        from snakemake.common import __version__

        self._record = RunRecord(
            self.run_id,
            store=self.store,
            pipeline=self.pipeline,
            engine="snakemake",
            engine_version=str(__version__),
            workdir=os.getcwd(),  # noqa: PTH109 - a text is what is wanted
            command=sys.argv if self.argv_recorded else (),
            redact=self.redact,
            tags={"executor": self._inner or "local"},
        )
        if self._record.problem:
            complain("store", f"{self._record.problem}; the jobs run, but nothing is recorded")
        atexit.register(self._left_open)

    def _expect_the_end(self) -> None:
        if self._summary is None or self._record is None or self._record.problem:
            return
        done = int(self._workflow.scheduler.finished_jobs)
        self._summary.expect(done, len(self._workflow.dag) - done)

    def handover(self, job: Any) -> Handover:
        """What a remote job's own Snakemake has to know."""
        members = list(job.jobs) if job.is_group() else [job]
        return Handover(
            run_id=self.run_id,
            store=self.store,
            pipeline=self.pipeline,
            capture=self.capture,
            interval_s=self.interval_s,
            redact=self.redact,
            argv_recorded=self.argv_recorded,
            submitted_at=self.submitted_at(members[0]),
            jobids={cards.task_id(member): int(member.jobid) for member in members},
        )

    def finish(self, cancelled: bool = False) -> None:
        """The executor has ended its last job: close the record, ingest, print. Never raises."""
        if self._finished:
            return
        self._finished = True
        for undo in (*self.at_end, shell_handover.remove, benchmark_handover.remove):
            _quietly(undo)
        if self.fork_server is not None:
            self.fork_server.close()
        record = self._record
        if record is None:
            return
        atexit.unregister(self._left_open)
        status = "cancelled" if cancelled else outcome(self._workflow)
        record.end(status, total_tasks=len(self._seen))
        if record.problem is None and self._summary is not None:
            self._summary.show()

    def _left_open(self) -> None:
        """Snakemake ends without having ended its executor: an error in the workflow itself."""
        if self._record is not None and not self._finished:
            self._record.end("failed", total_tasks=len(self._seen))


def _quietly(undo: Callable[[], None]) -> None:
    try:
        undo()
    except Exception as error:
        complain("undo", f"Snakemake keeps a traced part ({explain(error)})")


def outcome(workflow: Any) -> str:
    """How the run went: succeeded, failed or cancelled, as the scheduler knows it at its end."""
    scheduler = workflow.scheduler
    if getattr(scheduler, "_errors", False) or getattr(scheduler, "_executor_error", None):
        return "failed"
    if not getattr(scheduler, "remaining_jobs", ()):
        return "succeeded"
    # SIGTERM lets running jobs finish and starts no more; else Snakemake has lost sight of a job.
    return "cancelled" if getattr(scheduler, "_user_kill", None) else "failed"
