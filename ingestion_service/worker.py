"""The worker process of ingestion: `python -m ingestion_service.worker`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from shared.contracts.kinds import LASTING, JobKind

if TYPE_CHECKING:
    from shared.jobs.context import Handler
    from shared.settings import ServiceSettings

LOADERS: dict[str, str] = dict.fromkeys(
    (kind for kind in JobKind if kind.schema == "ingestion"), "ingestion_service.worker:handlers"
)


@contextmanager
def handlers(settings: ServiceSettings) -> Iterator[Mapping[JobKind, Handler]]:
    """Enter the service in a computing process and yield its handlers."""
    from ingestion_service import jobs
    from ingestion_service.settings import Settings
    from ingestion_service.wiring import assemble

    with assemble(Settings(**settings.model_dump(exclude={"name"}))) as wired:
        asked = {
            JobKind.INGEST_BARS: partial(jobs.ingest_bars, wired.intake),
            JobKind.INGEST_MANY: partial(jobs.ingest_many, wired.intake),
            JobKind.FETCH_ACTIONS: partial(jobs.fetch_actions, wired.action_intake),
            JobKind.IMPORT_FILES: partial(jobs.import_files, wired.intake),
            JobKind.FILL_GAPS: partial(jobs.fill_gaps, wired.filler),
            JobKind.COMPARE_BARS: partial(jobs.compare_bars, wired.comparing),
        }
        yield {
            # an agent counts its errors itself, also those it goes on after
            **{kind: partial(jobs.counted, wired.monitoring, kind.verb, handler) for kind, handler in asked.items()},
            **{kind: partial(jobs.run_agent, wired.agents, work) for kind, work in wired.works.items()},
        }


def main() -> None:
    """Work until told to stop; what holds a worker for hours is for `barsmith worker --kinds`."""
    from ingestion_service.settings import Settings
    from shared.jobs.worker import run_worker

    ordinary = {kind: target for kind, target in LOADERS.items() if kind not in LASTING}
    run_worker(Settings(), ordinary)  # pyright: ignore[reportCallIssue] - read from the environment


if __name__ == "__main__":
    main()
