"""The Airflow plugin: the listener, if it is asked for, and the pages, in whichever Airflow.

What costs something to make is made when Airflow asks for it: each process loads its plugins, but
only a web server asks for pages.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any

# Both classes are in Airflow 3; whoever loads this module has imported its own.
if "airflow.sdk.plugins_manager" in sys.modules:
    from airflow.sdk.plugins_manager import AirflowPlugin
else:
    from airflow.plugins_manager import AirflowPlugin


class TracerHooksPlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow's are untyped here
    """What Airflow takes from us."""

    name = "tracer_hooks"

    @cached_property
    def listeners(self) -> list[Any]:
        """One, if `[tracer_hooks] dags` names any: in Airflow 2 the mere presence of a listener
        forbids tasks that end in the triggerer."""
        from tracer_hooks_airflow.complaints import complain, explain

        try:
            from tracer_hooks_airflow.settings import settings

            chosen = settings()
            if not chosen.dags:
                return []
            from tracer_hooks_airflow.listener import Listener

            return [Listener(chosen)]
        except Exception as error:
            complain(f"no task is observed: {explain(error)}")
            return []
