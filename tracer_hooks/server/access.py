"""Who may read: anybody on this machine by its own names, else who has the token. GET alone."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import os
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOCAL_NAMES = ("localhost", "ip6-localhost")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Access:
    """Refuses what may not be asked, before anything else sees it, and adds headers to answers."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no web sockets here
        from starlette.requests import Request

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in _HEADERS if name not in present),
                ]
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, guarded)

    def _refusal(self, request: Request) -> PlainTextResponse | None:
        if self._token is None:
            # A page of another site whose name was made to point here must not read this one.
            if not is_local(request.headers.get("host", "")):
                return PlainTextResponse("ask for 127.0.0.1 or localhost\n", 421)
        elif not self._knows_token(request.headers.get("authorization", "")):
            return PlainTextResponse(
                "a token is needed\n", 401, {"WWW-Authenticate": 'Basic realm="tracer-hooks"'}
            )
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("only for reading\n", 405, {"Allow": "GET, HEAD"})
        return None

    def _knows_token(self, header: str) -> bool:
        """`Bearer TOKEN`, or `Basic` with the token as the password (as a browser asks for it)."""
        scheme, _, said = header.partition(" ")
        given = said.encode("latin-1")  # the bytes that came
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip(), os.fsencode(self._token or ""))


def is_local(host: str) -> bool:
    """Whether a Host header names this machine from itself: localhost or a loopback address."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.removeprefix("[").removesuffix("]").lower()
    if name in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
