"""What surrounds every request, outermost first.

1. `Edge`       request id, one access log line, metrics, security headers, and the last catch of unexpected errors
2. `HostGuard`  refuses Host headers this service was not told to answer to
3. `CrossSite`  refuses writes that another site's page sends
4. `BodyLimit`  refuses bodies larger than any request of the house
5. gzip         (Starlette's), which leaves event streams and compressed files alone
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Clock
from shared.logs import request_id
from shared.web.errors import error_response, unexpected
from shared.web.metrics import Metrics

log = logging.getLogger("shared.web.access")

_SANE_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
#: asked all the time and telling nothing: logged at DEBUG
_QUIET_ROUTES = ("/static/{build}/{name}", "/vendor/{sha12}/{name}", "/healthz", "/metrics", "/siblings")
#: characters of a path that are logged
_LONGEST_PATH = 500
#: bytes of a request's body; the largest that a client of the house sends is well below 1 MiB
MAX_BODY = 16 * 2**20
_TOO_LARGE = f"The request's body is larger than {MAX_BODY // 2**20} MiB. Send less at a time."
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
# lightweight-charts inserts a <style> element: hence 'unsafe-inline' for styles only
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Edge:
    """Gives the request its id, times it, logs it, counts it; nothing unexpected passes it."""

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        offered = Headers(scope=scope).get("x-request-id", "")
        identifier = offered if _SANE_ID.match(offered) else secrets.token_hex(8)
        remembered = request_id.set(identifier)
        started = self._clock.monotonic()
        status, streamed = 0, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, streamed
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = identifier
                streamed = headers.get("content-type", "").startswith("text/event-stream")
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - the outermost catch: answered and logged here
            response = unexpected(Request(scope, receive), error)
            if status == 0:
                await response(scope, receive, send_with_headers)
        finally:
            self._account(scope, status, self._clock.monotonic() - started, streamed=streamed)
            request_id.reset(remembered)

    def _account(self, scope: Scope, status: int, seconds: float, *, streamed: bool) -> None:
        route = getattr(scope.get("route"), "path_format", "unmatched")
        self._metrics.answered(scope["method"], route, status, None if streamed else seconds)
        log.log(
            logging.DEBUG if route in _QUIET_ROUTES else logging.INFO,
            "request answered",
            extra={
                "action": "request",
                "method": scope["method"],
                "path": scope["path"][:_LONGEST_PATH],
                "route": route,
                "status": status,
                "seconds": round(seconds, 6),
            },
        )


class HostGuard:
    """Starlette's trusted host check, with a refusal in the house's words."""

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str]) -> None:
        self._app = app
        self._allowed_hosts = list(allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or await self._trusted(scope, receive):
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        response = error_response(
            Request(scope, receive),
            400,
            "bad_host",
            f"This service does not answer to the host {host[:100]!r}; add it to BARSMITH_ALLOWED_HOSTS if it should.",
        )
        await response(scope, receive, send)

    async def _trusted(self, scope: Scope, receive: Receive) -> bool:
        passed = False

        async def reached(_scope: Scope, _receive: Receive, _send: Send) -> None:
            nonlocal passed
            passed = True

        async def discard(_message: Message) -> None:
            pass

        check = TrustedHostMiddleware(reached, self._allowed_hosts, www_redirect=False)
        await check(scope, receive, discard)
        return passed


class CrossSite:
    """Refuses unsafe methods that a browser says come from another origin.

    Browsers send `Sec-Fetch-Site` or at least `Origin` with such a request; curl and services send neither and pass.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _SAFE_METHODS or _same_origin(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        response = error_response(
            Request(scope, receive),
            403,
            "forbidden",
            "This request was sent by a page of another site and is refused; use this service's own pages or curl.",
        )
        await response(scope, receive, send)


class BodyLimit:
    """Refuses a request whose body is, or turns out to be, larger than `MAX_BODY` bytes, before it fills the memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > MAX_BODY:
            await error_response(Request(scope, receive), 413, "too_large", _TOO_LARGE)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, counted, send)


def _same_origin(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")
