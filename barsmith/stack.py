"""What `barsmith up` runs: the database, the simulated exchange, the services, the workers; and in which order."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from barsmith.children import ChildSpec
from barsmith.environment import EXCHANGE, EXCHANGE_VARIABLE, addresses, exchange_address, one_worker
from barsmith.house import SERVICES
from barsmith.procfs import listener
from shared.contracts.kinds import LASTING
from shared.errors import Conflict, InvalidInput


def wants_exchange(port_offset: int, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the simulated exchange is to be started: unless another market-data server is named."""
    return environ.get(EXCHANGE_VARIABLE, "").rstrip("/") in {"", exchange_address(port_offset)}


def check_ports(port_offset: int, environ: Mapping[str, str] = os.environ) -> None:
    """Raise Conflict naming port, holder and remedy when a port this stack needs is taken."""
    wanted = addresses(port_offset, environ)
    if wants_exchange(port_offset, environ):
        wanted[EXCHANGE] = exchange_address(port_offset)
    for name, url in wanted.items():
        port = urlsplit(url).port or 80
        if not is_free(port):
            holder = listener(port) or "another process"
            raise Conflict(
                f"port {port} ({name}) is taken by {holder}: stop it, or shift all ports with --port-offset 10000"
            )


def check_settings(port_offset: int) -> None:
    """Raise InvalidInput for settings of market data with which no service of ingestion would start."""
    from barsmith.doctor.finding import Verdict
    from barsmith.doctor.market_data import check_market_data

    for finding in check_market_data(port_offset):
        if finding.verdict is Verdict.FAIL:
            raise InvalidInput(finding.seen)


def is_free(port: int) -> bool:
    """Tell whether the port can be listened on at 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def plan(environment: Mapping[str, str], *, workers: int, port_offset: int) -> list[list[ChildSpec]]:
    """Return what to start, in order; a later group is stopped before an earlier one."""
    exchange = [_exchange(environment, port_offset)] if wants_exchange(port_offset, environment) else []
    urls = addresses(port_offset, environment)
    services = [
        ChildSpec(
            name=name,
            argv=(sys.executable, "-m", f"{package}.app"),
            environment=environment,
            ready_url=f"{urls[name]}/readyz",
        )
        for name, package in SERVICES.items()
    ]
    crew = [
        ChildSpec(
            name=f"worker-{number}",
            argv=(sys.executable, "-m", "barsmith", "worker"),
            environment=one_worker(environment),
        )
        for number in range(1, workers + 1)
    ]
    return [exchange, services, [*crew, *_lasting(environment)]]


def _lasting(environment: Mapping[str, str]) -> list[ChildSpec]:
    """Return one worker for each kind whose jobs hold a worker for hours: ordinary work never waits behind them."""
    return [
        ChildSpec(
            name=f"worker-{kind.rpartition('.')[2].removesuffix('_agent')}",
            argv=(sys.executable, "-m", "barsmith", "worker", "--kinds", kind),
            environment=one_worker(environment),
        )
        for kind in sorted(LASTING)
    ]


def _exchange(environment: Mapping[str, str], port_offset: int) -> ChildSpec:
    url = exchange_address(port_offset)
    return ChildSpec(
        name=EXCHANGE,
        argv=(sys.executable, "-m", "simulated_exchange", "--port", str(urlsplit(url).port)),
        environment=environment,
        ready_url=f"{url}/healthz",
    )
