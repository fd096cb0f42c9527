"""The worker process of this service's job kinds: `python -m optimization_service.worker`."""

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
    from optimization_service.settings import Settings
    from shared.jobs.worker import run_worker

    run_worker(Settings(), LOADERS)  # pyright: ignore[reportCallIssue] - read from the environment


if __name__ == "__main__":
    main()
