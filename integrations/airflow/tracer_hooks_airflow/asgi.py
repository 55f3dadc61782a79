"""The pages in the API server of Airflow 3: an ASGI app that is made at its first request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks_airflow.pages import PREFIX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    App = Callable[[Any, Any, Any], Awaitable[None]]

_app: App | None = None


async def lazy_app(scope: Any, receive: Any, send: Any) -> None:
    """Pass a request on. Every process loads its plugins; this one answers requests."""
    global _app
    if _app is None:
        _app = _make()
    await _app(scope, receive, send)


def registration() -> dict[str, Any]:
    """The entry of `fastapi_apps`."""
    return {"app": lazy_app, "url_prefix": PREFIX, "name": "tracer-hooks"}


def external_views() -> list[dict[str, Any]]:
    """A tab at each DAG run and each task instance."""
    asked = "dag_id={DAG_ID}&run_id={RUN_ID}"
    return [
        {
            "name": "What ran",
            "href": f"{PREFIX}/run?{asked}",
            "destination": "dag_run",
            "url_route": "tracer-hooks-run",
            "category": None,
        },
        {
            "name": "What ran",
            "href": f"{PREFIX}/task?{asked}&task_id={{TASK_ID}}&map_index={{MAP_INDEX}}",
            "destination": "task_instance",
            "url_route": "tracer-hooks-task",
            "category": None,
        },
    ]


def _make() -> App:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag
    from fastapi import Depends, FastAPI, Request
    from fastapi.responses import HTMLResponse

    from tracer_hooks_airflow import pages

    app: Any = FastAPI(title="tracer-hooks", docs_url=None, redoc_url=None, openapi_url=None)

    # Not async: a page is made by another process, which these wait for in a thread.
    def run(request: Any) -> Any:
        made = pages.run_page(request.query_params)
        return HTMLResponse(made.body, made.status)

    def task(request: Any) -> Any:
        made = pages.task_page(request.query_params)
        return HTMLResponse(made.body, made.status)

    for path, page, entity in (
        ("/run", run, DagAccessEntity.RUN), ("/task", task, DagAccessEntity.TASK_INSTANCE),
    ):  # fmt: skip
        page.__annotations__["request"] = Request
        # Whoever may see the DAG's runs in Airflow may see their records, and nobody else.
        allowed = Depends(requires_access_dag("GET", entity))
        app.add_api_route(path, page, dependencies=[allowed], response_class=HTMLResponse)
    made: App = app
    return made
