"""`barsmith up`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from barsmith.options import home_option, port_offset_option, workers_option

#: seconds until all services must answer; a cold start takes about ten on two cores
READY_TIMEOUT = 120.0


@click.command()
@home_option
@workers_option
@port_offset_option
def up(home: Path, workers: int, port_offset: int) -> None:
    """Start the database, the simulated exchange, all services and workers; stop them with Ctrl-C.

    Without DATABASE_URL an embedded Postgres runs in the data folder. What dies is started again. Set
    ALPACA_API_BASE_URL to fetch from another market-data server than the simulated exchange.

    \b
    Example:
      barsmith up --workers 4
      barsmith up --home /data/second --port-offset 10000
    """
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        _run(home, workers, port_offset)
    except KeyboardInterrupt:
        click.echo("barsmith: stopped")


def _interrupt(signum: int, frame: object) -> None:
    """Ask for an orderly stop once; further signals must not cut it short."""
    del signum, frame
    for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(home: Path, workers: int, port_offset: int) -> None:
    import os

    from barsmith import folder, stack
    from barsmith.database import StackDatabase
    from barsmith.environment import addresses, child_environment
    from barsmith.supervisor import Supervisor

    with folder.held(home):
        stack.check_ports(port_offset)
        stack.check_settings(port_offset)
        with StackDatabase(home, _say) as database:
            environment = child_environment(
                home=home, database_url=database.url, token=folder.worker_token(home), port_offset=port_offset
            )
            groups = stack.plan(environment, workers=workers, port_offset=port_offset)
            with Supervisor(groups, _say, also=database.tick) as supervisor:
                supervisor.wait_ready(READY_TIMEOUT)
                urls = addresses(port_offset)
                pids = {**supervisor.pids, **({"postgres": database.pid} if database.pid else {})}
                folder.describe_stack(
                    home,
                    pid=os.getpid(),
                    port_offset=port_offset,
                    database_url=database.url,
                    urls=urls,
                    children=pids,
                )
                for name, url in urls.items():
                    _say("barsmith", f"{name:<12} {url}")
                _say("barsmith", f"all ready with {workers} workers; Ctrl-C stops everything")
                while True:
                    supervisor.tick()


def _say(name: str, line: str) -> None:
    click.echo(f"{name:<12} | {line}")
