"""Who is asking: a browser that wants a page, or a program that wants JSON."""

from __future__ import annotations

from starlette.datastructures import Headers, QueryParams
from starlette.types import Scope

_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


def _quality(accept: str, kinds: tuple[str, ...]) -> float:
    best = 0.0
    for part in accept.split(","):
        kind, _, parameters = part.strip().partition(";")
        if kind.strip().lower() not in kinds:
            continue
        quality = 1.0
        for parameter in parameters.split(";"):
            name, _, value = parameter.strip().partition("=")
            if name == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        best = max(best, quality)
    return best


def prefers_html(headers: Headers) -> bool:
    """Whether `text/html` is asked for by name and ranks above JSON. `*/*` (curl) is not a browser."""
    accept = headers.get("accept", "")
    html = _quality(accept, ("text/html", "application/xhtml+xml"))
    return html > 0 and html > _quality(accept, ("application/json",))


def posts_form(headers: Headers) -> bool:
    """Whether the body is what an HTML form sends."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() in _FORM_TYPES


def is_page_request(scope: Scope) -> bool:
    """Whether the page router, not the JSON router, should answer this request."""
    headers = Headers(scope=scope)
    if scope["method"] in ("GET", "HEAD"):
        # a page has no format: who names one, by a link on the page itself, wants the data
        return prefers_html(headers) and "format" not in QueryParams(scope["query_string"])
    return posts_form(headers)
