"""`run`: one command under the supervisor, from Python."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tracer_hooks.adapter import store_path, supervised
from tracer_hooks.cards import CardOptions, make_card, secrets
from tracer_hooks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

    from tracer_hooks.report.notebook import Report

Stream = int | IO[bytes] | IO[str] | None


@dataclass(frozen=True)
class CompletedTask:
    """A command that ran under the supervisor, and where its record is.

    `returncode` is what a shell shows: 0-255, 128+N for death by signal N. `stdout` and `stderr`
    are bytes if they were piped (text with `text=True`), else None.
    """

    args: tuple[str, ...]
    returncode: int
    run_id: str
    task_id: str
    attempt: int
    store: Path
    stdout: bytes | str | None = None
    stderr: bytes | str | None = None

    def check_returncode(self) -> None:
        """Raise subprocess.CalledProcessError if the command failed."""
        if self.returncode:
            raise subprocess.CalledProcessError(
                self.returncode, list(self.args), self.stdout, self.stderr
            )

    def report(self) -> Report:
        """What this task did; see tracer_hooks.report. Raises TracerError if it has no record."""
        from tracer_hooks.reading import task_report

        return task_report(self.run_id, self.task_id, self.attempt, self.store)


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    store: str | os.PathLike[str] | None = None,
    capture: str | None = None,
    interval: float | None = None,
    outputs: Sequence[str | os.PathLike[str]] = (),
    check: bool = False,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
    input: bytes | str | None = None,  # noqa: A002  (the name that subprocess.run gives it)
    text: bool = False,
    timeout: float | None = None,
    **card: Unpack[CardOptions],
) -> CompletedTask:
    """Run `command` as subprocess.run does, and record what it and everything it starts did.

    `run, pipeline, step, task, attempt, sample, tags, cpus, memory, time` say who the task is and
    what it asked for, as the options of `tracer-hooks run` do; commands without `run` belong to
    one run for this whole Python process. `outputs` are paths whose sizes are summed when the
    command has ended. Standard streams pass through unless they are given, as in subprocess.run.

    Raises CalledProcessError for a failed command only with `check`, TimeoutExpired after
    `timeout` seconds, UsageError for an argument that makes no sense. A command that cannot be
    started has the returncode 127 or 126, as in a shell.
    """
    if isinstance(command, (str, bytes)) or not command:
        raise UsageError('give the command as a list of words, as in run(["sleep", "1"])')
    words = [os.fsdecode(word) for word in command]
    task = make_card("python", Path(words[0]).name or "command", card)
    where = store_path(store)
    argv = supervised(
        task,
        words,
        store=where,
        capture=capture,
        interval_s=interval,
        outputs=[os.fsdecode(path) for path in outputs],
        redact=secrets(),
    )
    if input is not None and stdin is not None:
        raise UsageError("give either input or stdin")
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE if input is not None else stdin,
        stdout=stdout,
        stderr=stderr,
        text=text,
    ) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.terminate()  # the supervisor hands it on to the command
            _last_word(process)
            raise
    code = process.returncode
    done = CompletedTask(
        args=tuple(words),
        returncode=code if code >= 0 else 128 - code,
        run_id=task.run_id,
        task_id=task.task_id,
        attempt=task.attempt,
        store=where,
        stdout=out,
        stderr=err,
    )
    if check:
        done.check_returncode()
    return done


def _last_word(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Wait a little for a command that was asked to end, then end it."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()  # the command dies with its supervisor
