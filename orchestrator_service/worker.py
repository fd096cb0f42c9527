"""The worker process of this service's job kinds: `python -m orchestrator_service.worker`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.contracts.kinds import JobKind

if TYPE_CHECKING:
    from shared.jobs.context import Handler
    from shared.settings import ServiceSettings

_HANDLERS = "orchestrator_service.worker:handlers"
LOADERS: dict[str, str] = {
    JobKind.BREED: _HANDLERS,
    JobKind.TRIAL: _HANDLERS,
    JobKind.JUDGE: _HANDLERS,
    JobKind.VERDICT: _HANDLERS,
}


@contextmanager
def handlers(settings: ServiceSettings) -> Iterator[Mapping[JobKind, Handler]]:
    # imported here: the parent process never computes, and should start at once
    from orchestrator_service import jobs
    from orchestrator_service.settings import Settings
    from orchestrator_service.wiring import assemble

    with assemble(Settings(**settings.model_dump(exclude={"name"}))) as wired:
        yield jobs.by_kind(wired.evolution, wired.confirmation)


def main() -> None:
    from orchestrator_service.settings import Settings
    from shared.jobs.worker import run_worker

    run_worker(Settings(), LOADERS)  # pyright: ignore[reportCallIssue] - read from the environment


if __name__ == "__main__":
    main()
