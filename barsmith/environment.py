"""What child processes are told: addresses, data folder, secrets and thread limits, all by environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from barsmith.house import SERVICES

EXCHANGE = "exchange"
#: the setting of the official client that names another market-data server
EXCHANGE_VARIABLE = "ALPACA_API_BASE_URL"
#: credentials of that server, by the names that are read; without them a child has the simulated exchange's
CREDENTIALS = ("ALPACA_KEY_ID", "ALPACA_API_KEY_ID", "ALPACA_SECRET_KEY", "ALPACA_API_SECRET_KEY")


def url_variable(service: str) -> str:
    return f"BARSMITH_{service.upper()}_URL"


def addresses(port_offset: int = 0, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return every service's base URL: what the environment says, else 127.0.0.1 at its port + offset."""
    from shared.settings import SERVICE_PORTS

    return {
        name: (environ.get(url_variable(name)) or f"http://127.0.0.1:{SERVICE_PORTS[name] + port_offset}").rstrip("/")
        for name in SERVICES
    }


def exchange_address(port_offset: int = 0) -> str:
    """Return the base URL of the simulated exchange."""
    from shared.settings import EXCHANGE_PORT

    return f"http://127.0.0.1:{EXCHANGE_PORT + port_offset}"


def child_environment(
    *,
    home: Path,
    database_url: str,
    token: str,
    port_offset: int,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Return the environment every child gets. What the user set stays, except the database and the home.

    Alpaca credentials go along only with the address of their server: the simulated exchange would refuse them.
    """
    if not environ.get(EXCHANGE_VARIABLE):
        environ = {name: value for name, value in environ.items() if name not in {EXCHANGE_VARIABLE, *CREDENTIALS}}
    urls = {url_variable(name): url for name, url in addresses(port_offset, environ).items()}
    return {
        # without this a child's lines would stay in its buffer until it ends
        "PYTHONUNBUFFERED": "1",
        EXCHANGE_VARIABLE: exchange_address(port_offset),
        **environ,
        **urls,
        "DATABASE_URL": database_url,
        "BARSMITH_HOME": str(home),
        "BARSMITH_WORKER_TOKEN": token,
    }


def one_worker(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` with every numeric library held to the worker's own share of the cores."""
    threads = environment.get("BARSMITH_THREADS", "1")
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS")
    return {**environment, "BARSMITH_THREADS": threads, **dict.fromkeys(limits, threads)}
