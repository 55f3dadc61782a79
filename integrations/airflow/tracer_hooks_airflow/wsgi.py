"""The pages in the web server of Airflow 2: a Flask blueprint."""

from __future__ import annotations

from typing import Any

from tracer_hooks_airflow.pages import PREFIX


def blueprint() -> Any:
    """The blueprint with both pages."""
    from airflow.auth.managers.models.resource_details import DagAccessEntity
    from airflow.www.auth import has_access_dag
    from flask import Blueprint, Response, request

    from tracer_hooks_airflow import pages

    made = Blueprint("tracer_hooks", __name__, url_prefix=PREFIX)

    def run() -> Any:
        page = pages.run_page(request.args)
        return Response(page.body, page.status, mimetype="text/html")

    def task() -> Any:
        page = pages.task_page(request.args)
        return Response(page.body, page.status, mimetype="text/html")

    for view, entity in ((run, DagAccessEntity.RUN), (task, DagAccessEntity.TASK_INSTANCE)):
        # Whoever may see the DAG's runs in Airflow may see their records, and nobody else.
        allowed = has_access_dag("GET", entity)(view)
        made.add_url_rule(f"/{view.__name__}", view_func=allowed)
    return made
