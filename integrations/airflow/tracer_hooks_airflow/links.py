"""The link from a task instance to its record, a button on its page in both majors."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import BaseOperatorLink
except ImportError:
    from airflow.models.baseoperatorlink import BaseOperatorLink

from tracer_hooks_airflow.pages import task_path


class RecordLink(BaseOperatorLink):  # type: ignore[misc]  # Airflow's are untyped here
    """To what was recorded of the attempt."""

    name = "What ran"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address, relative to the server's root."""
        del operator
        return _base() + task_path(
            ti_key.dag_id, ti_key.run_id, ti_key.task_id, ti_key.map_index, ti_key.try_number
        )


def _base() -> str:
    """The path that Airflow is served below, where it has a server of its own to share."""
    from urllib.parse import urlsplit

    from airflow.configuration import conf

    for section in ("api", "webserver"):
        base = conf.get(section, "base_url", fallback="")
        if base:
            return urlsplit(str(base)).path.rstrip("/")
    return ""
