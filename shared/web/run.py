"""Serving an app: `run("training_service.app:create_app", Settings())`."""

from __future__ import annotations

import uvicorn

from shared.logs import configure_logging
from shared.settings import ServiceSettings

#: A live event stream would hold a stopping server for ever; after so many seconds it is cut.
GRACE_SECONDS = 2


def run(app_factory: str, settings: ServiceSettings) -> None:
    """Serve `module:function` on the address of `settings` until a signal ends the process.

    Logs are JSON lines; the access log is ours, so uvicorn's is off.
    """
    configure_logging(settings.name, settings.log_level)
    host, port = settings.bind()
    uvicorn.run(
        app_factory,
        factory=True,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
