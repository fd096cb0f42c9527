"""The worker process of this service's job kinds: `python -m simulation_service.worker`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from shared.contracts.kinds import JobKind

if TYPE_CHECKING:
    from shared.jobs.context import Handler
    from shared.settings import ServiceSettings

LOADERS: dict[str, str] = dict.fromkeys((JobKind.SWEEP, JobKind.STRESS), "simulation_service.worker:handlers")


@contextmanager
def handlers(settings: ServiceSettings) -> Iterator[Mapping[JobKind, Handler]]:
    # imported here: the parent process never computes, and should start at once
    from simulation_service import jobs
    from simulation_service.settings import Settings as OwnSettings
    from simulation_service.wiring import assemble

    own = OwnSettings(**settings.model_dump(exclude={"name"}))
    with assemble(own) as wired:
        yield {
            JobKind.SWEEP: partial(jobs.simulate_sweep, wired.sweeps),
            JobKind.STRESS: partial(jobs.stress_run, wired.stress),
        }


def main() -> None:
    from shared.jobs.worker import run_worker
    from simulation_service.settings import Settings as OwnSettings

    run_worker(OwnSettings(), LOADERS)  # pyright: ignore[reportCallIssue] - read from the environment


if __name__ == "__main__":
    main()
