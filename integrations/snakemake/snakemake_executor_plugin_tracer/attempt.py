"""One attempt of one job: turns the commands that Snakemake starts for it into supervised ones."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from snakemake_executor_plugin_tracer import cards
from snakemake_executor_plugin_tracer.complaints import complain, explain
from tracer_hooks.adapter import TaskCard, supervised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snakemake_executor_plugin_tracer.tracing import Tracing

# The kernel takes 128 KiB in one argument, and a spawned job's whole command line is one.
_MAX_ARGUMENT = 125_000


class JobAttempt:
    """A job's present attempt. `supervise` never raises: None means run it as it is."""

    def __init__(self, tracing: Tracing, job: Any) -> None:
        self.tracing = tracing
        self.job = job
        self._commands = 0

    def observes(self, piped: bool) -> bool:
        """Whether a command of this job is its work.

        Before it runs a script, Snakemake asks the script's environment for versions and paths,
        and reads the answers through a pipe. Only the code of a `run:` reads real work that way.
        """
        return not piped or bool(self.job.is_run)

    def supervise(self, command: Sequence[str]) -> list[str] | None:
        """The argv that runs `command` under the supervisor, as this attempt."""
        try:
            return supervised(
                self._next_card(),
                command,
                store=self.tracing.store,
                capture=self.tracing.capture,
                interval_s=self.tracing.interval_s,
                outputs=cards.outputs(self.job),
                redact=self.tracing.redact,
                argv_recorded=self.tracing.argv_recorded,
            )
        except Exception as error:
            complain("card", f"a job runs without being observed ({explain(error)})")
            return None

    def supervise_line(self, line: str) -> str:
        """A shell command line that runs `line` under the supervisor; `line` itself at worst."""
        argv = self.supervise(["/bin/sh", "-c", self.tracing.shield(line)])
        if argv is None:
            return line
        text = "exec " + shlex.join(argv)
        if len(text.encode("utf-8", "surrogateescape")) > _MAX_ARGUMENT:
            complain("length", "a job whose command line is too long runs without being observed")
            return line
        return text

    def _next_card(self) -> TaskCard:
        """The job's card. A `benchmark: repeat(…)` runs its command again: `map:sample=A#2`."""
        self._commands += 1
        card = self.tracing.card(self.job)
        if self._commands == 1:
            return card
        mark = f"#{self._commands}"
        return replace(
            card,
            task_id=card.task_id + mark,
            task_name=f"{card.task_name} {mark}",
            tags={**card.tags, "repeat": str(self._commands)},
        )
