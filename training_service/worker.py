"""The worker process of this service's job kinds: `python -m training_service.worker`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from shared.contracts.kinds import JobKind

if TYPE_CHECKING:
    from shared.jobs.context import Handler
    from shared.settings import ServiceSettings

LOADERS: dict[str, str] = dict.fromkeys((JobKind.TRAIN, JobKind.PREDICT), "training_service.worker:handlers")


@contextmanager
def handlers(settings: ServiceSettings) -> Iterator[Mapping[JobKind, Handler]]:
    # imported here: the parent process never computes, and should start at once
    from training_service import jobs
    from training_service.settings import Settings as OwnSettings
    from training_service.wiring import assemble

    own = OwnSettings(**settings.model_dump(exclude={"name"}))
    with assemble(own) as wired:
        yield {
            JobKind.TRAIN: partial(jobs.train_model, wired.models),
            JobKind.PREDICT: partial(jobs.predict_window, wired.models),
        }


def main() -> None:
    from shared.jobs.worker import run_worker
    from training_service.settings import Settings as OwnSettings

    run_worker(OwnSettings(), LOADERS)  # pyright: ignore[reportCallIssue] - read from the environment


if __name__ == "__main__":
    main()
