"""`barsmith worker`: one worker process."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option


@click.command()
@click.option("--kinds", metavar="KIND,...", help="Job kinds to take; all but ingestion.live_agent by default.")
@click.option("--server", metavar="URL", help="Orchestrator or optimization service to take jobs from over HTTP.")
@click.option(
    "--token", envvar="BARSMITH_WORKER_TOKEN", help="Worker token for --server.  [env: BARSMITH_WORKER_TOKEN]"
)
@click.option("--id", "worker_id", help="Name shown on the dashboards; host and process id by default.")
@home_option
def worker(kinds: str | None, server: str | None, token: str | None, worker_id: str | None, home: Path) -> None:
    """Run one worker: takes one job at a time, most important first, until it is stopped.

    Beside a running `barsmith up` it needs nothing but its --home. Elsewhere it needs DATABASE_URL, also with
    --server, which moves only the queue to HTTP (the lake's manifest and the registries are there), the same lake
    (BARSMITH_LAKE_URL: a shared folder or an fsspec URL), and the services' addresses (BARSMITH_<NAME>_URL).
    The live updater holds a worker for a whole session, so only a worker that is told to takes it.

    \b
    Example:
      barsmith worker --kinds training.train,training.predict
      barsmith worker --kinds ingestion.live_agent
      barsmith worker --server http://10.0.0.5:8400 --token "$TOKEN"
    """
    from barsmith.house import loaders
    from shared.contracts.kinds import LASTING
    from shared.errors import InvalidInput

    known = loaders()
    chosen = [kind.strip() for kind in kinds.split(",")] if kinds else [kind for kind in known if kind not in LASTING]
    if unknown := [kind for kind in chosen if kind not in known]:
        raise InvalidInput(f"unknown job kind {unknown[0]!r}: choose from {', '.join(sorted(known))}")
    if server and not token:
        raise InvalidInput("--server needs the worker token: --token or BARSMITH_WORKER_TOKEN")
    _join(home)
    _run({kind: known[kind] for kind in chosen}, server, token, worker_id)


def _join(home: Path) -> None:
    """Take the settings of the stack that runs on `home`, where the environment names no database."""
    import os

    from barsmith import folder
    from barsmith.environment import child_environment, one_worker
    from shared.errors import InvalidInput

    if os.environ.get("DATABASE_URL"):
        return
    stack = folder.running_stack(home)
    if stack is None:
        raise InvalidInput(
            f"DATABASE_URL is not set and nothing runs on {home}: name the database, or the --home of a `barsmith up`"
        )
    settings = child_environment(
        home=home,
        database_url=stack["database_url"],
        token=folder.worker_token(home),
        port_offset=stack["port_offset"],
    )
    os.environ.update(one_worker(settings))


def _run(chosen: dict[str, str], server: str | None, token: str | None, worker_id: str | None) -> None:
    from shared.contracts.kinds import JobKind
    from shared.jobs.worker import run_worker
    from shared.settings import ServiceSettings

    transport = None
    if server and token:
        from shared.jobs.http_transport import HttpTransport

        transport = HttpTransport(server, token)
    run_worker(
        ServiceSettings(name="worker"),  # pyright: ignore[reportCallIssue] - the rest comes from the environment
        {JobKind(kind): target for kind, target in chosen.items()},
        worker_id=worker_id,
        transport=transport,
    )
