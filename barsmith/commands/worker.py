"""`barsmith worker`: one worker process."""

from __future__ import annotations

import click


@click.command()
@click.option("--kinds", metavar="KIND,...", help="Job kinds to take; all but ingestion.live_agent by default.")
@click.option("--server", metavar="URL", help="Orchestrator or optimization service to take jobs from over HTTP.")
@click.option(
    "--token", envvar="BARSMITH_WORKER_TOKEN", help="Worker token for --server.  [env: BARSMITH_WORKER_TOKEN]"
)
@click.option("--id", "worker_id", help="Name shown on the dashboards; host and process id by default.")
def worker(kinds: str | None, server: str | None, token: str | None, worker_id: str | None) -> None:
    """Run one worker: takes one job at a time, most important first, until it is stopped.

    It computes beside the data. Also with --server, which moves only the queue to HTTP, it needs DATABASE_URL (the
    lake's manifest and the registries are there), the same lake (BARSMITH_LAKE_URL: a shared folder or an fsspec URL;
    or BARSMITH_HOME on one machine), and the services' addresses (BARSMITH_<NAME>_URL).
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
    _run({kind: known[kind] for kind in chosen}, server, token, worker_id)


def _run(chosen: dict[str, str], server: str | None, token: str | None, worker_id: str | None) -> None:
    import os

    from shared.contracts.kinds import JobKind
    from shared.errors import InvalidInput
    from shared.jobs.worker import run_worker
    from shared.settings import ServiceSettings

    if not os.environ.get("DATABASE_URL"):
        raise InvalidInput("DATABASE_URL is not set: name the database, or let `barsmith up` start workers beside it")
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
