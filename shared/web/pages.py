"""Pages live beside the JSON routes at the same addresses: a browser gets the page, curl gets the JSON.

A router made by `page_router()` answers a GET only when the client prefers `text/html`, and a POST only when its
body is a form; everything else falls through to the JSON router, so include the page router first.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from shared.web.accept import is_page_request, posts_form
from shared.web.forms import IDEMPOTENCY_FIELD
from shared.web.once import Once
from shared.web.templating import render

__all__ = ["page_router", "redirect_after_post", "render"]


class PageRoute(APIRoute):
    """A route only a browser sees."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and not is_page_request(scope):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            key = (await request.form()).get(IDEMPOTENCY_FIELD) if posts_form(request.headers) else None
            if not isinstance(key, str) or not key:
                return await handle(request)
            once: Once = request.app.state.site.once
            return await once.respond(f"{request.url.path} {key}", partial(handle, request))

        return handle_once


def page_router() -> APIRouter:
    """Router for HTML pages and form posts."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def redirect_after_post(url: str) -> RedirectResponse:
    """303: the browser follows with a GET, so reload and Back do not post again."""
    return RedirectResponse(url, status_code=303)
