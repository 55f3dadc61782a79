"""`tracer-hooks demo`: a small real workload, recorded, and its report."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import print_page
from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    import argparse

    from tracer_hooks.cli.demo_tasks import DemoTask


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="where to record (default: $TRACER_HOOKS_STORE, or a new folder for temporary files)",
    )


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.adapter import RunRecord, store_path
    from tracer_hooks.analysis.summary import summarise
    from tracer_hooks.cli.demo_tasks import FILES, TASKS
    from tracer_hooks.plugins import renderers
    from tracer_hooks.reading import open_run, tables
    from tracer_hooks.supervisor.identifiers import new_run_id

    given = options.store or os.environ.get("TRACER_HOOKS_STORE")
    store = store_path(given or tempfile.mkdtemp(prefix="tracer-hooks-demo-"))
    run_id = f"demo-{new_run_id()}"
    _say(f"Five small tasks, each behind `tracer-hooks run`; the store is {store}\n")
    record = RunRecord(
        run_id, store=store, pipeline="demo", engine="command", command=["tracer-hooks", "demo"]
    )
    status = "cancelled"
    try:
        with tempfile.TemporaryDirectory(prefix="tracer-hooks-demo-work-") as work:
            for name, text in FILES.items():
                Path(work, name).write_text(text, encoding="utf-8")
            done = [_perform(task, run_id, store, work) for task in TASKS]
        status = "succeeded" if all(done) else "failed"
    finally:
        record.end(status, len(TASKS))
    _say("")
    opened, run_id = open_run(run_id, store)
    print_page(summarise(tables(opened, run_id), run_id, store=store), renderers()["text"])
    _say(
        "\nGo on with:\n"
        f"  tracer-hooks show --store {shlex.quote(str(store))} latest annotate\n"
        f"  tracer-hooks report --store {shlex.quote(str(store))} --format html"
        " --output demo.html\n"
        "  tracer-hooks run -- COMMAND          record a command of your own"
    )
    return 0 if status == "succeeded" else 1


def _perform(task: DemoTask, run_id: str, store: Path, work: str) -> bool:
    """Run a task until it succeeds or its attempts are used up; whether it succeeded."""
    words = [*task.options, "--", *task.command]
    _say(f"  {task.step:<9} {task.why}")
    for attempt in range(1, task.attempts + 1):
        argv = [sys.executable, "-m", "tracer_hooks", "run", "--store", str(store)]
        argv += ["--run", run_id, "--pipeline", "demo", "--step", task.step]
        argv += ["--task", task.step, "--attempt", str(attempt), *words]
        begin = time.monotonic()
        try:
            done = subprocess.run(
                argv,
                cwd=work,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise TracerError(f"cannot start {sys.executable}: {error.strerror}") from error
        said = (done.stdout or done.stderr).strip().splitlines()
        how = "ok" if done.returncode == 0 else f"exit status {done.returncode}"
        _say(
            f"            {how:<14} {time.monotonic() - begin:5.1f} s   {said[-1] if said else ''}"
        )
        if done.returncode == 0:
            return True
    return False


def _say(line: str) -> None:
    """Progress belongs to the demo's own output; each line appears as it is true."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


COMMAND = Command(
    name="demo",
    summary="record a small workload of a few seconds and show its report",
    examples="""\
  tracer-hooks demo
  tracer-hooks demo --store ./demo-store
""",
    configure=_configure,
    execute=_execute,
)
