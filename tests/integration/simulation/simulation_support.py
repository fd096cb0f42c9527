"""What the simulation tests share: two weeks of one symbol, a model's predictions, and how a sweep is run."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np
import polars as pl

from shared.contracts.messages import Fill, Setting, Sweep, Window
from shared.contracts.sessions import sessions_between
from shared.errors import InvalidInput
from shared.jobs.model import JobState
from shared.testing.jobs import run_pending
from simulation_service.worker import handlers

MODEL = hashlib.sha256(b"a model").hexdigest()
START = datetime(2024, 3, 4, tzinfo=UTC)
MIDDLE = datetime(2024, 3, 9, tzinfo=UTC)
END = datetime(2024, 3, 16, tzinfo=UTC)
GRID = tuple(
    Setting(threshold=threshold, hold_bars=hold, side=side, fill=fill)
    for threshold in (0.0, 0.0002)
    for hold in (0, 15)
    for side, fill in (("long_flat", Fill.OPEN), ("long_short", Fill.MIDPOINT))
)


def micros(at: datetime) -> int:
    return int(at.timestamp() * 1e6)


def bars_and_predictions(seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Ten sessions; folds 0 in the first week, the frozen model from the second."""
    ts = sessions_between(micros(START), micros(END)).expected_minutes()
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 4e-4, len(ts))))
    opens = np.concatenate([[100.0], close[:-1]])
    stamps = pl.Series(ts.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    bars = pl.DataFrame(
        {
            "symbol": ["SPY"] * len(ts),
            "ts": stamps,
            "open": opens,
            "high": np.maximum(opens, close) * 1.0001,
            "low": np.minimum(opens, close) * 0.9999,
            "close": close,
            "volume": np.full(len(ts), 1000.0),
            "source": ["test"] * len(ts),
        }
    )
    predictions = pl.DataFrame(
        {
            "model": [MODEL] * len(ts),
            "symbol": ["SPY"] * len(ts),
            "ts": stamps,
            "prediction": rng.normal(0, 4e-4, len(ts)),
            "fold": np.where(ts < micros(MIDDLE), 0, -1).astype(np.int16),
        }
    )
    return bars, predictions


def sweep_of(start=MIDDLE, end=END, **changes):
    values = {"model": MODEL, "symbol": "SPY", "window": Window(start=start, end=end), "settings": GRID, **changes}
    return Sweep(**values)


def complete(service, settings, job_id):
    """Run what waits, and return the job's result; what the handler refused is raised here."""
    with handlers(settings) as known:
        run_pending(service.resources.queue, known)
    job = service.resources.queue.job(job_id)
    if job.error:
        raise InvalidInput(job.error)
    assert job.state is JobState.COMPLETED
    return job.result


def simulate(service, settings, sweep):
    return complete(service, settings, service.sweeps.submit(sweep))


PAGE = {"Accept": "text/html"}
