"""The server of `benchmarks/ingestion.py`: it speaks Alpaca's protocol, and has the same bars for all symbols."""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import subprocess
import time
from datetime import UTC, datetime

import httpx

from shared.testing.ports import free_port


def started(first_year: int, last_year: int) -> tuple[subprocess.Popen[bytes], str]:
    """Start it, and return it with its address once it has made the bars of those years."""
    port = free_port()
    server = subprocess.Popen([sys.executable, __file__, str(port), str(first_year), str(last_year)])
    wait_for(f"http://127.0.0.1:{port}/healthz")
    return server, f"http://127.0.0.1:{port}"


def wait_for(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def requests_of(url: str) -> int:
    return httpx.get(f"{url}/healthz", trust_env=False).json()["requests"]


def serve(port: int, first_year: int, last_year: int) -> None:
    import uvicorn

    from simulated_exchange.app import create_app
    from simulated_exchange.market import Market
    from simulated_exchange.settings import ExchangeSettings

    class OneForAll:
        market = Market()

        def bars(self, _symbol: str, start: datetime, end: datetime) -> object:
            return self.market.bars("EDGE", start, end)

    app = create_app(ExchangeSettings(rate_limit=10_000_000))
    app.state.market = OneForAll()
    for year in range(first_year, last_year + 1):  # made before anybody's time is taken
        app.state.market.bars("", datetime(year, 1, 2, tzinfo=UTC), datetime(year, 1, 3, tzinfo=UTC))
    uvicorn.run(app, port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    serve(*(int(text) for text in sys.argv[1:]))
