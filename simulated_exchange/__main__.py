"""`python -m simulated_exchange --port 8900` serves the synthetic market until it is stopped."""

from __future__ import annotations

import click
import uvicorn

from shared.settings import EXCHANGE_PORT


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=EXCHANGE_PORT, show_default=True)
def main(host: str, port: int) -> None:
    """Serve the synthetic market, e.g. `python -m simulated_exchange --port 8900`."""
    uvicorn.run(
        "simulated_exchange.app:create_app",
        factory=True,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
