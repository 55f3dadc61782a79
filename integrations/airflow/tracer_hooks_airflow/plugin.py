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
    def global_operator_extra_links(self) -> list[Any]:
        """The button at each task instance."""
        from tracer_hooks_airflow.links import RecordLink

        return [RecordLink()]

    @cached_property
    def fastapi_apps(self) -> list[Any]:
        """The pages, in Airflow 3."""
        from tracer_hooks_airflow.asgi import registration

        return [registration()]

    @cached_property
    def external_views(self) -> list[Any]:
        """The tabs that show them."""
        from tracer_hooks_airflow.asgi import external_views

        return external_views()

    @cached_property
    def flask_blueprints(self) -> list[Any]:
        """The pages, in Airflow 2. Airflow 3 asks for these too, where it still serves such."""
        if _major() >= 3:
            return []
        from tracer_hooks_airflow.wsgi import blueprint

        return [blueprint()]

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


def _major() -> int:
    from airflow import __version__

    return int(__version__.partition(".")[0])
