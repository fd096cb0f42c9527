"""Errors on the wire: `{"error", "detail", "request_id"}`, or a page when a browser asks.

This is the one place that knows which kind of error is which HTTP status.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.errors import BarsmithError, Conflict, InvalidInput, NotFound, Unavailable
from shared.jobs.model import storable
from shared.logs import request_id
from shared.web.accept import prefers_html
from shared.web.known import is_unknown, known_at, say_unknown
from shared.web.templating import render

log = logging.getLogger(__name__)

#: error class -> (status, `error` on the wire); the first match in this order wins
STATUS: Mapping[type[BarsmithError], tuple[int, str]] = {
    NotFound: (404, "not_found"),
    Conflict: (409, "conflict"),
    InvalidInput: (400, "invalid_input"),
    Unavailable: (503, "unavailable"),
}
_NAMES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    422: "invalid_payload",
}
#: what clients sent is quoted back to them, but not by the kilobyte
LONGEST_DETAIL = 1_000
#: SQLSTATEs of values no column can hold: an integer or a time out of range, text with a NUL (None: seen by the driver)
_UNSTORABLE = (None, "22003", "22008", "22021", "22P02", "22P05")
_INTERNAL = "Something went wrong on our side. The log has the details under this request id."


def error_response(
    request: Request, status: int, error: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Put an error into the envelope, or on a page when the client prefers one."""
    if len(detail) > LONGEST_DETAIL:
        detail = detail[:LONGEST_DETAIL] + "…"
    envelope = {"error": error, "detail": storable(detail), "request_id": request_id.get()}
    if prefers_html(request.headers):
        return render(request, "shared/error.html", status=status, headers=headers, code=status, **envelope)
    return JSONResponse(envelope, status_code=status, headers=dict(headers or {}))


def describe_problems(problems: list[Any], route: object = None) -> str:
    """Pydantic's problems in one sentence: where, what, and the value that was given.

    With the `route` that was asked, also which fields there are where one is not known.
    """
    parts = []
    for problem in problems[:5]:
        if problem["type"] == "json_invalid":
            parts.append(f"the body is not JSON: {problem['ctx']['error']} at character {problem['loc'][-1]}")
            continue
        place = ".".join(str(step) for step in problem["loc"] if step not in ("body", "query", "path"))
        said = say_unknown(known_at(route, problem["loc"])) if is_unknown(problem) else problem["msg"]
        parts.append(f"{place or 'body'}: {said.removeprefix('Value error, ')}{got(problem)}")
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    return "; ".join(parts) + more


def got(problem: Any) -> str:  # noqa: ANN401 - pydantic's problem
    """Return the value a problem of pydantic's is about, as ` (got 0)`; nothing where it is too much to show."""
    given = problem.get("input")
    return f" (got {given!r:.60})" if isinstance(given, str | int | float | bool) else ""


def _barsmith_error(request: Request, error: Exception) -> Response:
    status, name = next((pair for kind, pair in STATUS.items() if isinstance(error, kind)), (500, "internal"))
    detail = str(error) if status != 500 else _INTERNAL
    headers = {"Retry-After": "5"} if status == 503 else None
    return error_response(request, status, name, detail, headers)


def _malformed(request: Request, error: Exception) -> Response:
    problems = cast(RequestValidationError, error).errors()
    said = describe_problems(list(problems), request.scope.get("route"))
    return error_response(request, 422, "invalid_payload", said)


def _http_error(request: Request, raised: Exception) -> Response:
    error = cast(HTTPException, raised)
    detail = str(error.detail)
    if error.status_code == 404 and detail == "Not Found":
        detail = f"There is nothing at {request.url.path}."
    name = _NAMES.get(error.status_code, "http_error")
    return error_response(request, error.status_code, name, detail, error.headers)


def _unstorable(request: Request, error: Exception) -> Response:
    if isinstance(error, psycopg.Error) and error.sqlstate not in _UNSTORABLE:
        return unexpected(request, error)
    log.warning("value refused by the database", exc_info=error, extra={"action": "value_refused"})
    said = (error.diag.message_primary if isinstance(error, psycopg.Error) else None) or str(error)
    return error_response(request, 400, "invalid_input", f"The database cannot hold a value of the request: {said}")


def unexpected(request: Request, error: BaseException) -> Response:
    """Log a bug with its traceback, and tell the client without any of it."""
    log.error("request failed", exc_info=error, extra={"action": "request_failed", "path": request.url.path})
    return error_response(request, 500, "internal", _INTERNAL)


def install_errors(app: FastAPI) -> None:
    """Register the handlers. Unexpected errors are caught by the outermost middleware through `unexpected`."""
    app.add_exception_handler(BarsmithError, _barsmith_error)
    app.add_exception_handler(psycopg.DataError, _unstorable)
    app.add_exception_handler(UnicodeEncodeError, _unstorable)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http_error)
