"""Building features and reading them back, for tests that hold a wired feature service."""

from contextlib import contextmanager
from datetime import UTC, datetime

from feature_service.domain.catalogue import feature_set
from feature_service.wiring import assemble
from feature_service.worker import handlers
from shared.contracts.datasets import BARS_1M, FEATURES
from shared.contracts.messages import BuildFeatures, Window
from shared.jobs.model import JobState
from shared.testing.jobs import run_pending
from shared.testing.markets import reverting_bars

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)


@contextmanager
def house(settings, seeds, start=START, end=END, pull=0.0):
    """Wire the service over a lake that holds bars of each symbol of `seeds`."""
    with assemble(settings) as wired:
        for symbol, seed in seeds.items():
            wired.resources.lake.upsert(BARS_1M, reverting_bars(symbol, start, end, seed=seed, pull=pull))
        yield wired


def build(service, settings, symbol, name="context", start=START, end=END):
    request = BuildFeatures(symbol=symbol, window=Window(start=start, end=end), feature_set=name)
    (job,) = service.builds.submit([request])
    with handlers(settings) as handling:
        run_pending(service.resources.queue, handling)
    done = service.resources.queue.job(job)
    assert done.state is JobState.COMPLETED, done.error
    return done.result


def rows(service, symbol, name="context"):
    lake = service.resources.lake
    known = feature_set(name)
    return lake.read(lake.snapshot(FEATURES, feature_set=known.id, symbol=symbol), ["ts", *known.columns])
