"""Logs as JSON lines: a constant message, an `action`, and fields. Secrets never reach the stream.

    log.info("request answered", extra={"action": "request", "status": 200, "seconds": 0.012})

What is redacted, in the message, the fields and tracebacks alike: passwords inside URLs and `password=...` pairs,
bearer tokens, and every field whose name contains key, secret, token or password.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any

#: Id of the HTTP request being answered, "" outside one; `shared.web` sets it, every log line carries it.
request_id: ContextVar[str] = ContextVar("request_id", default="")

HIDDEN = "***"
_SECRET_NAME = re.compile(r"key|secret|token|password", re.IGNORECASE)
_IN_TEXT = (
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer\s+)[^\s\"',]+"), rf"\1{HIDDEN}"),
    (
        # the name's end is bounded: without that, a long text of word characters takes time with its square
        re.compile(r"(?i)((?:key|secret|token|password)[\w-]{0,64}[\"']?\s*[=:]\s*[\"']?)[^\s\"',&;]+"),
        rf"\1{HIDDEN}",
    ),
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def redact_text(text: str) -> str:
    """`text` without the secrets it may carry."""
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def redact(value: object, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """`value` of the field `name` as JSON-ready data, secrets replaced, containers walked."""
    if name and _SECRET_NAME.search(name) and value not in (None, "", 0, False):
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [redact(item) for item in value]
    return redact_text(str(value))


class JsonLines(logging.Formatter):
    """One record, one line of JSON."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": redact_text(record.getMessage()),
        }
        if identifier := request_id.get():
            line["request_id"] = identifier
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line[name] = redact(value, name)
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = redact_text(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure_logging(service: str, level: str = "INFO", stream: IO[str] | None = None) -> None:
    """Send every log line of this process to `stream` (standard error by default) as JSON.

    Replaces the root logger's handlers, so calling it twice does not double the lines.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries that speak at INFO for every request or connection say nothing a user needs.
    for chatty in ("httpx", "httpcore", "uvicorn.access", "psycopg.pool"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
