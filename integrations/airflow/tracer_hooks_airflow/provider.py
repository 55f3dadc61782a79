"""What Airflow asks a provider package: the entry point `apache_airflow_provider`."""

from typing import Any

_DAGS = """\
Which DAGs the listener observes: patterns of DAG ids with * and ?, separated by spaces or commas;
`!pattern` excludes. Empty: only tasks that are decorated with @traced or @task.traced."""
_STORE = """\
The folder where records are kept, which all workers, the scheduler and the web server reach by
this path. Default: .tracer in AIRFLOW_HOME."""
_INGEST = """\
Whether a process of its own brings a DAG run's records into Parquet when the run is over. Who
reads the run does so otherwise."""
_OPTIONS = {
    "dags": ("string", _DAGS, ""),
    "store": ("string", _STORE, ""),
    "capture": ("string", "How processes are seen: auto, perf, taskstats or poll.", "auto"),
    "interval": ("float", "Seconds between two looks at a task's processes.", "0.1"),
    "argv": ("boolean", "Whether command lines are recorded, redacted.", "True"),
    "ingest": ("boolean", _INGEST, "True"),
}


def get_provider_info() -> dict[str, Any]:
    """The provider's description: its decorator and its options."""
    from tracer_hooks.version import __version__

    options = {
        name: {"type": kind, "description": text, "default": default, "example": None,
               "version_added": None}
        for name, (kind, text, default) in _OPTIONS.items()
    }  # fmt: skip
    return {
        "package-name": "tracer-hooks",
        "name": "tracer-hooks",
        "description": "What actually ran inside each task.",
        "versions": [__version__],
        "task-decorators": [
            {"name": "traced", "class-name": "tracer_hooks_airflow.native.traced_task"}
        ],
        "config": {
            "tracer_hooks": {
                "description": "What tracer-hooks observes, and where it keeps its records.",
                "options": options,
            }
        },
    }
