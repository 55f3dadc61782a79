"""`tracer-hooks nextflow`: start Nextflow with every task observed, or write what does so."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.parsing import one_of

if TYPE_CHECKING:
    import argparse

    from tracer_hooks_nextflow.config import Settings

OWN = ("configure", "compare")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "tracer-hooks nextflow [OPTIONS] -- run PIPELINE …\n"
        "       tracer-hooks nextflow [OPTIONS] configure > tracer.config\n"
        "       tracer-hooks nextflow [--store DIR] compare [RUN] [TRACE.TXT]"
    )
    parser.add_argument(
        "words", nargs="*", metavar="WORD",
        help="after `--`, what nextflow is given; or `configure`, to print a configuration for"
        " `nextflow run … -c`; or `compare`, to set a run beside Nextflow's own trace of it",
    )  # fmt: skip
    parser.add_argument(
        "--store", metavar="DIR",
        help="where the records go (default: $TRACER_HOOKS_STORE, or .tracer in the launch folder)",
    )  # fmt: skip
    parser.add_argument("--run", metavar="ID", help="the run's id (default: Nextflow's run name)")
    parser.add_argument("--pipeline", metavar="NAME", help="the pipeline's name")
    parser.add_argument(
        "--capture", metavar="HOW", type=one_of("auto", "perf", "taskstats", "poll"),
        help="how processes are seen: auto (the default), perf, taskstats or poll",
    )  # fmt: skip
    parser.add_argument(
        "--interval", metavar="DURATION", help="how often a task is read (default: 100 ms)"
    )
    parser.add_argument("--no-argv", action="store_true", help="do not keep command lines")
    parser.add_argument("--output", metavar="FILE", help="write to FILE, all of it or nothing")
    parser.add_argument(
        "--format", metavar="FORMAT", type=one_of("text", "json"), default="text",
        help="of `compare`: text (the default) or json",
    )  # fmt: skip


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.errors import UsageError

    first = options.words[0] if options.words else None
    if first == "configure":
        return _write_configuration(options)
    if first == "compare":
        from tracer_hooks.cli.nextflow_compare import compare

        return compare(options)
    if first is None:
        raise UsageError("say what to run: tracer-hooks nextflow -- run main.nf …")
    from tracer_hooks_nextflow.launcher import launch

    launch(options.words, _settings(options))
    return 0  # not reached: this process is Nextflow now


def _write_configuration(options: argparse.Namespace) -> int:
    from tracer_hooks_nextflow.config import render

    from tracer_hooks.cli.output import write_whole
    from tracer_hooks.errors import UsageError

    if len(options.words) > 1:
        raise UsageError(f"`configure` has no use for {options.words[1]!r}")
    text = render(_settings(options))
    if options.output and options.output != "-":
        write_whole(options.output, text)
    else:
        sys.stdout.write(text)
    return 0


def _settings(options: argparse.Namespace) -> Settings:
    from pathlib import Path

    from tracer_hooks_nextflow.config import Settings

    from tracer_hooks.cards import secrets
    from tracer_hooks.quantities import parse_interval

    return Settings(
        store=str(Path(options.store).expanduser().absolute()) if options.store else None,
        run=options.run,
        pipeline=options.pipeline,
        capture=options.capture,
        interval_s=parse_interval(options.interval) if options.interval else None,
        argv_recorded=not options.no_argv,
        redact=secrets(),
    )


COMMAND = Command(
    name="nextflow",
    summary="run a Nextflow pipeline with every task observed",
    examples="""\
  tracer-hooks nextflow -- run main.nf -profile slurm -resume
  tracer-hooks nextflow configure > tracer.config && nextflow run main.nf -c tracer.config
  tracer-hooks nextflow compare latest results/trace.txt
""",
    configure=_configure,
    execute=_execute,
)
