"""The web application: its addresses, and what each answers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Route

from tracer_hooks.server.access import Access
from tracer_hooks.server.watching import STALE_S

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from tracer_hooks.server.looks import Looks
    from tracer_hooks.server.reports import Reports
    from tracer_hooks.server.watching import Watching

# Our pages load what is served here and nothing else; a report brings all that it needs, may run
# its own script, and is kept from everything else by its sandbox.
_OWN = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"  # noqa: E501 (one header)
_REPORT = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts allow-downloads allow-popups"  # noqa: E501


def application(watching: Watching, reports: Reports, looks: Looks, token: str | None) -> ASGIApp:
    """The application, guarded."""
    site = _Site(watching, reports, looks)
    routes = [
        Route("/", site.index),
        Route("/now", site.now),
        Route("/metrics", site.metrics),
        Route("/health", site.health),
        Route("/assets/{name}", site.asset),
        Route("/runs/{run_id}", site.run),
        Route("/runs/{run_id}/version", site.version),
        Route("/runs/{run_id}/report", site.report),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    app.router.redirect_slashes = False
    return Access(_Unquoted(app), token)


class _Unquoted:
    """A run's id may hold a `/`: the path's own slashes are told from it before it is unquoted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        raw = scope.get("raw_path")
        if scope["type"] == "http" and raw is not None:
            path = raw.decode("ascii", "replace").partition("?")[0]
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


class _Site:
    def __init__(self, watching: Watching, reports: Reports, looks: Looks) -> None:
        self._watching, self._reports, self._looks = watching, reports, looks

    async def metrics(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        text, kind = await run_in_threadpool(self._watching.metrics, accept)
        return Response(text, media_type=kind)

    async def health(self, _: Request) -> Response:
        age = self._watching.age_s()
        healthy = age < STALE_S + 2 * self._watching.interval_s
        said = {"status": "ok" if healthy else "stale", "age_s": round(age, 3)}
        return JSONResponse(said, 200 if healthy else 503)

    async def asset(self, request: Request) -> Response:
        found = self._looks.asset(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return Response(found[0], media_type=found[1], headers={"Content-Security-Policy": _OWN})

    async def index(self, request: Request) -> Response:
        return await self._page(request, whole=True)

    async def now(self, request: Request) -> Response:
        return await self._page(request, whole=False)

    async def _page(self, request: Request, *, whole: bool) -> Response:
        wanted = {
            name: value
            for name in ("pipeline", "step", "host")
            if (value := request.query_params.get(name))
        }
        text = await run_in_threadpool(self._looks.now, self._watching, wanted, whole)
        return HTMLResponse(text, headers={"Content-Security-Policy": _OWN})

    async def run(self, request: Request) -> Response:
        run_id, version = await self._known(request)
        state = await run_in_threadpool(self._looks.state, self._watching, run_id)
        text = self._looks.run(run_id, version, state)
        return HTMLResponse(text, headers={"Content-Security-Policy": _OWN})

    async def version(self, request: Request) -> Response:
        run_id, version = await self._known(request)
        run = await run_in_threadpool(self._watching.run, run_id)
        state = self._looks.state(self._watching, run_id)
        active = run is not None and run.active
        return JSONResponse({"version": version, "active": active, "state": state})

    async def report(self, request: Request) -> Response:
        run_id, version = await self._known(request)
        try:
            path = await self._reports.page(run_id, version)
        except RuntimeError as error:
            return PlainTextResponse(f"no report: {error}\n", 500)
        return FileResponse(
            path, media_type="text/html", headers={"Content-Security-Policy": _REPORT}
        )

    async def _known(self, request: Request) -> tuple[str, str]:
        """The run that the address names, and its version. Only what the store has is looked for:
        no path and no command line is ever made of what somebody typed."""
        run_id = run_of(request.path_params["run_id"])
        version = await run_in_threadpool(self._watching.version, run_id)
        if version is None:
            raise HTTPException(404, "there is no such run")
        return run_id, version


def run_of(segment: str) -> str:
    """The run id that a segment of a path stands for."""
    from urllib.parse import unquote

    return unquote(segment, errors="replace")


def segment_of(run_id: str) -> str:
    """A run id as one segment of a path."""
    return quote(run_id, safe="")


async def _refused(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    return PlainTextResponse(f"{getattr(error, 'detail', 'error')}\n", status)
