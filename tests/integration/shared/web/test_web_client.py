"""One service asks another: its errors come back as the errors it raised."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from shared.logs import request_id
from shared.testing.ports import free_port
from shared.web.client import ServiceClient


@pytest.fixture
def answer_with() -> Iterator[Callable[..., tuple[str, list[tuple[str, str, str | None]]]]]:
    """Start a plain HTTP server that gives the listed answers in turn; its URL and the requests it got."""
    servers: list[ThreadingHTTPServer] = []

    def start(*answers: tuple[int, str]):
        left, asked = list(answers), []

        class Handler(BaseHTTPRequestHandler):
            def reply(self) -> None:
                asked.append((self.command, self.path, self.headers.get("X-Request-ID")))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, body = left.pop(0)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST = reply  # noqa: N815 - the names http.server asks for

            def log_message(self, *_args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def envelope(error: str) -> str:
    return f'{{"error": "{error}", "detail": "no model abc", "request_id": "1"}}'


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (404, "not_found", NotFound),
        (409, "conflict", Conflict),
        (400, "invalid_input", InvalidInput),
        (422, "invalid_payload", InvalidInput),
    ],
)
def test_envelope_becomes_the_error_it_was(answer_with, status, error, kind):
    url, _ = answer_with((status, envelope(error)))
    with ServiceClient("training", url) as client, pytest.raises(kind, match=r"^no model abc$"):
        client.get("/models/abc")


def test_read_is_repeated_and_write_is_not(answer_with):
    url, asked = answer_with((503, envelope("unavailable")), (500, "oops"), (200, '{"ok": 1}'))
    with ServiceClient("training", url) as client:
        assert client.get("/models", symbol="SPY", page=None) == {"ok": 1}
    assert [path for _, path, _ in asked] == ["/models?symbol=SPY"] * 3
    url, asked = answer_with((503, envelope("unavailable")))
    with ServiceClient("training", url) as client, pytest.raises(Unavailable, match="training service at http"):
        client.post("/train", json={})
    assert len(asked) == 1


def test_request_id_travels_along(answer_with):
    url, asked = answer_with((200, "{}"))
    remembered = request_id.set("trace-me-12345")
    with ServiceClient("training", url) as client:
        client.get("/x")
    request_id.reset(remembered)
    assert asked == [("GET", "/x", "trace-me-12345")]


def test_silent_service_is_named_with_its_address():
    address = f"http://127.0.0.1:{free_port()}"
    with (
        ServiceClient("features", address) as client,
        pytest.raises(Unavailable, match=rf"features service at {address} does not answer .*barsmith up"),
    ):
        client.get("/coverage")
