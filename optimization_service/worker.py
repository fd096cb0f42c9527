"""The worker process of this service's job kinds: `python -m optimization_service.worker [--server URL --token T]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from shared.contracts.kinds import JobKind

if TYPE_CHECKING:
    from shared.jobs.context import Handler
    from shared.settings import ServiceSettings

LOADERS: dict[str, str] = dict.fromkeys(
    (JobKind.BATCH, JobKind.BATCH_SWEEP, JobKind.BATCH_RANK), "optimization_service.worker:handlers"
)


@contextmanager
def handlers(settings: ServiceSettings) -> Iterator[Mapping[JobKind, Handler]]:
    # imported here: the parent process never computes, and should start at once
    from optimization_service import jobs
    from optimization_service.settings import Settings
    from optimization_service.wiring import assemble

    with assemble(Settings(**settings.model_dump(exclude={"name"}))) as wired:
        yield {
            JobKind.BATCH: partial(jobs.predict_missing, wired.rounds),
            JobKind.BATCH_SWEEP: partial(jobs.simulate_next, wired.rounds),
            JobKind.BATCH_RANK: partial(jobs.rank_round, wired.rounds),
        }


def main() -> None:
    import argparse
    import os

    from optimization_service.settings import Settings
    from shared.jobs.worker import run_worker

    parser = argparse.ArgumentParser(
        description="Take a batch's own jobs; its simulations are taken by `barsmith worker`."
    )
    parser.add_argument("--server", help="orchestrator or optimization service to take jobs from over HTTP")
    parser.add_argument(
        "--token", default=os.environ.get("BARSMITH_WORKER_TOKEN", ""), help="worker token for --server"
    )
    asked = parser.parse_args()
    transport = None
    if asked.server:
        from shared.jobs.http_transport import HttpTransport

        transport = HttpTransport(asked.server, asked.token)
    run_worker(Settings(), LOADERS, transport=transport)  # pyright: ignore[reportCallIssue] - read from the environment


if __name__ == "__main__":
    main()
