"""What all traced jobs of one Snakemake process have in common."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

from snakemake_executor_plugin_tracer import cards, handover
from snakemake_executor_plugin_tracer.attempt import JobAttempt
from snakemake_executor_plugin_tracer.complaints import complain, explain
from snakemake_executor_plugin_tracer.supervised_process import SupervisedProcess
from tracer_hooks.adapter import TaskCard, supervised

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracer_hooks.fork_server import ForkServer

_TRIAL_TIMEOUT_S = 20
_EXIT_CODE = 7  # one that no failure of ours has


class Tracing:
    """Which run the jobs belong to, where their records go, and how they are observed."""

    def __init__(
        self,
        *,
        run_id: str,
        store: str,
        pipeline: str | None,
        capture: str | None = None,
        interval_s: float | None = None,
        redact: Sequence[str] = (),
        argv_recorded: bool = True,
    ) -> None:
        self.run_id = run_id
        self.store = store
        self.pipeline = pipeline
        self.capture = capture
        self.interval_s = interval_s
        self.redact = list(redact)  # patterns to mask in command lines
        self.argv_recorded = argv_recorded
        self.fork_server: ForkServer | None = None  # where many jobs will want one
        self._submitted: dict[str, float] = {}
        self._works: bool | None = None
        self._lock = threading.Lock()

    # -- jobs ------------------------------------------------------------------------------------

    def attempt(self, job: Any) -> JobAttempt | None:
        """The present attempt of a job; None if it cannot be observed."""
        try:
            return JobAttempt(self, job) if self.works() else None
        except Exception as error:
            complain("attempt", f"jobs run without being observed ({explain(error)})")
            return None

    def card(self, job: Any) -> TaskCard:
        """The task card of a job's present attempt."""
        return cards.task_card(
            job,
            run_id=self.run_id,
            pipeline=self.pipeline,
            jobid=self.jobid(job),
            submitted_at=self.submitted_at(job),
        )

    def jobid(self, job: Any) -> int | None:
        """The job's number in the log of the Snakemake that the user started."""
        return int(job.jobid)

    def submitted_at(self, job: Any) -> float | None:
        """When the job was given to the executor."""
        return self._submitted.get(cards.task_id(job))

    def submit(self, jobs: Iterable[Any]) -> None:
        """Jobs, or groups of jobs, are about to be run. Never raises."""
        try:
            now = time.time()
            for job in jobs:
                for member in job.jobs if job.is_group() else (job,):
                    self._submitted[cards.task_id(member)] = now
        except Exception as error:
            complain("submit", f"the jobs' waiting times are not known ({explain(error)})")

    # -- commands --------------------------------------------------------------------------------

    def task_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """A job's environment, without what only Snakemake's own processes are to see."""
        return {key: value for key, value in environment.items() if key != handover.VARIABLE}

    def shield(self, line: str) -> str:
        """A shell line for a Snakemake process inside a task, which must not trace once more."""
        return f"unset {handover.VARIABLE}; {line}" if handover.VARIABLE in os.environ else line

    def works(self) -> bool:
        """Whether a command under the supervisor runs at all: tried once, before the first job."""
        with self._lock:
            if self._works is None:
                self._works = self._try()
            return self._works

    def _try(self) -> bool:
        problem = self._trial()
        if problem and self.fork_server is not None:
            self.fork_server.close()
            self.fork_server = None
            problem = self._trial()
        if problem:
            complain("trial", f"{problem}; nothing is recorded")
        return not problem

    def _trial(self) -> str:
        """What is wrong with a supervisor here; empty if nothing is."""
        try:
            with tempfile.TemporaryDirectory(prefix="tracer-hooks-") as folder:
                card = TaskCard(run_id="trial", task_id="trial")
                command = supervised(card, ["/bin/sh", "-c", f"exit {_EXIT_CODE}"], store=folder)
                trial = SupervisedProcess(
                    command,
                    self.fork_server,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                )
                said = _said(trial)
        except Exception as error:
            return f"the supervisor does not start ({explain(error)})"
        if trial.returncode == _EXIT_CODE:
            return ""
        why = said.decode(errors="replace").strip().splitlines()
        return "the supervisor does not run a command as it should" + (
            f" ({why[-1]})" if why else ""
        )

    # -- the end ---------------------------------------------------------------------------------

    def finish(self, cancelled: bool = False) -> None:
        """The executor has ended. Only the process that began the run has something to do."""


def _said(trial: SupervisedProcess) -> bytes:
    """What it wrote to its standard error until its end. Raises TimeoutExpired."""
    with trial:
        try:
            said: bytes = trial.communicate(timeout=_TRIAL_TIMEOUT_S)[1]
        except subprocess.TimeoutExpired:
            subprocess.Popen.kill(trial)
            raise
    return said


class RemoteTracing(Tracing):
    """Inside a remote job: everything comes from the Snakemake that submitted it."""

    def __init__(self, received: handover.Handover) -> None:
        super().__init__(
            run_id=received.run_id,
            store=received.store,
            pipeline=received.pipeline,
            capture=received.capture,
            interval_s=received.interval_s,
            redact=received.redact,
            argv_recorded=received.argv_recorded,
        )
        self._received = received

    def jobid(self, job: Any) -> int | None:
        """The outer job id: job ids restart in this process."""
        return self._received.jobids.get(cards.task_id(job))

    def submitted_at(self, _job: Any) -> float | None:
        """When the job, or its group, was handed to the cluster."""
        return self._received.submitted_at
