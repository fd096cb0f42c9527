"""A real HTTP server around an app, for tests of routes and pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from shared.testing.ports import free_port
from shared.testing.waiting import eventually


@contextmanager
def serving(app: Any, **client: Any) -> Iterator[httpx.Client]:  # noqa: ANN401 - any ASGI application
    """Serve `app` on a free port with uvicorn in a thread, and yield a client whose base URL it is.

    Redirects are not followed unless `follow_redirects=True` is given; other keywords go to `httpx.Client` too.
    """
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="on")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name=f"serving-{port}", daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive(), what=f"the server on port {port}")
        if not server.started:
            raise RuntimeError("the app did not start; its log says why")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30, **client) as http:
            yield http
    finally:
        server.should_exit = True
        thread.join(timeout=15)
