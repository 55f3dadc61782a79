"""The plugin's settings: what `snakemake --executor tracer --tracer-…` accepts.

Snakemake reads the annotations of the dataclass at run time and knows `Optional[X]` only in that
spelling, so no `X | None` and no postponed annotations in this file.
"""

import sys
from dataclasses import dataclass, field
from typing import Any, Optional

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import ExecutorSettingsBase

from snakemake_executor_plugin_tracer.common import behave_like_inner

CAPTURES = ("auto", "perf", "taskstats", "poll")


def _setting(text: str, **more: Any) -> Any:
    return field(default=None, metadata={"help": text, "env_var": False, "required": False, **more})


@dataclass
class ExecutorSettings(ExecutorSettingsBase):  # type: ignore[misc]  # Snakemake has no types
    """How jobs are observed, and by which executor they run.

    Raises WorkflowError for a value that makes no sense, before anything runs.
    """

    store: Optional[str] = _setting(  # noqa: UP045 - see the module's docstring
        "Folder of the store. Default: TRACER_HOOKS_STORE, else .tracer in the working directory. "
        "With --tracer-inner it has to be visible from the nodes that run the jobs.",
        metavar="DIR",
    )
    inner: Optional[str] = _setting(  # noqa: UP045
        "Executor that runs the jobs, e.g. slurm or cluster-generic; its own options are given "
        "as usual. Default: the local executor.",
        metavar="EXECUTOR",
    )
    capture: Optional[str] = _setting(  # noqa: UP045
        "How processes are seen. Default: auto, the best that the machine permits.",
        choices=CAPTURES,
    )
    interval: Optional[float] = _setting(  # noqa: UP045
        "Steady interval between two readings of a job, in seconds.", metavar="SECONDS"
    )
    pipeline: Optional[str] = _setting(  # noqa: UP045
        "Name of the pipeline. Default: the name of the workflow's folder.", metavar="NAME"
    )
    run: Optional[str] = _setting(  # noqa: UP045
        "Name of this run, not used before in this store. Default: the time and a random part.",
        metavar="ID",
    )
    no_argv: bool = field(
        default=False,
        metadata={
            "help": "Keep the command lines of jobs and of Snakemake out of the record.",
            "env_var": False,
            "required": False,
        },
    )
    no_summary: bool = field(
        default=False,
        metadata={
            "help": "Neither ingest nor print a summary at the end of the run: whoever reads the "
            "run first does the ingest.",
            "env_var": False,
            "required": False,
        },
    )

    def __post_init__(self) -> None:
        # Used through the Python API, set this to an instance of the inner plugin's settings.
        self.inner_settings: Any = None
        if self.interval is not None and not 0 < self.interval < 86400:
            raise WorkflowError("--tracer-interval has to be a positive number of seconds")
        if self.run is not None and not self.run.strip():
            raise WorkflowError("--tracer-run has to be a name, not an empty text")
        plugin = behave_like_inner(self.inner)
        if plugin is not None and plugin.settings_cls is not None:
            args = _parsed_command_line()
            self.inner_settings = (
                plugin.settings_cls() if args is None else plugin.get_settings(args)
            )
            plugin.validate_settings(self.inner_settings)


def _parsed_command_line() -> Any:
    """The parsed arguments that these settings are being built from, None outside a command line.

    Snakemake parses the options of every installed executor but hands each plugin only its own;
    the rest is with the caller, `PluginBase.get_settings(args)`. Parsing sys.argv a second time
    would miss whoever calls `snakemake.cli.main(argv)`.
    """
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the caller's frame in CPython
    for _ in range(5):
        if frame.f_back is None:
            return None
        frame = frame.f_back
        if frame.f_code.co_name == "get_settings" and "args" in frame.f_locals:
            return frame.f_locals["args"]
    return None
