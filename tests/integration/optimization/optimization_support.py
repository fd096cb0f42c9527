"""What the tests of batches share: bars, predictions, a registry of models, and someone who does the jobs."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np
import polars as pl
from fastapi import FastAPI

from optimization_service.worker import handlers as own_handlers
from shared.contracts.datasets import BARS_1M, PREDICTIONS
from shared.contracts.kinds import JobKind
from shared.contracts.sessions import sessions_between
from shared.errors import InvalidInput
from shared.jobs.model import Outcome
from shared.testing.jobs import run_pending
from simulation_service.settings import Settings as SimulationSettings
from simulation_service.worker import handlers as simulation_handlers

GOOD, WEAK, LATE, FOUND, PRUNED = (
    hashlib.sha256(name).hexdigest() for name in (b"good", b"weak", b"late", b"found", b"pruned")
)
START = datetime(2024, 3, 4, tzinfo=UTC)
TRAINED = datetime(2024, 3, 9, tzinfo=UTC)
#: the end of the days that a search chose FOUND on
CHOSEN = datetime(2024, 3, 13, tzinfo=UTC)
END = datetime(2024, 3, 16, tzinfo=UTC)
#: PRUNED descends from WEAK, and shows what choosing features on one's own folds does to one's figure
ICS = {GOOD: 0.05, WEAK: 0.01, LATE: 0.20, PRUNED: 0.09}
#: known by name only: not in the list that the best are taken from
ICS_BY_NAME = {**ICS, FOUND: 0.03}
SMALL = {"axes": {"threshold": [0.0001, 0.0005], "hold_bars": [0, 10]}}


def registry() -> FastAPI:
    """The part of the training service's interface that batches read."""
    app = FastAPI()

    def model(name):
        trained = END if name == LATE else TRAINED
        window = {"start": START.isoformat(), "end": trained.isoformat()}
        chosen_on = {"start": trained.isoformat(), "end": CHOSEN.isoformat()} if name == FOUND else None
        return {
            "fingerprint": name,
            "symbol": "SPY",
            "train": window,
            "predict": chosen_on,
            "target": {"kind": "log_return", "horizon_bars": 30},
            "parent": WEAK if name == PRUNED else None,
            "metrics": {"ic": ICS_BY_NAME[name]},
        }

    @app.get("/models")
    def models():
        return {"items": [model(name) for name in ICS], "total": len(ICS), "page": 1, "per_page": 500}

    @app.get("/models/{name}")
    def one(name: str):
        return model(name)

    return app


def put_bars(lake, symbol, seed):
    ts = sessions_between(int(START.timestamp() * 1e6), int(END.timestamp() * 1e6)).expected_minutes()
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 4e-4, len(ts))))
    stamps = pl.Series(ts.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    columns = {"open": close, "high": close * 1.0001, "low": close * 0.9999, "close": close}
    frame = pl.DataFrame({"symbol": [symbol] * len(ts), "ts": stamps, **columns, "volume": 1.0 * np.ones(len(ts))})
    lake.upsert(BARS_1M, frame.with_columns(pl.lit("test").alias("source")))


def predictions(lake, model, symbol, seed=7):
    bars = lake.read(lake.snapshot(BARS_1M, symbol=symbol, start=TRAINED, end=END), ["ts"])
    said = np.random.default_rng(seed).normal(0, 4e-4, bars.height)
    said_at = bars.select(pl.lit(model).alias("model"), pl.lit(symbol).alias("symbol"), "ts")
    return said_at.with_columns(pl.Series("prediction", said), pl.lit(-1, pl.Int16).alias("fold"))


def folds(lake, model, symbol, seed=9):
    """Return what the model's two folds predicted before its training ended: all that a bot can learn from."""
    bars = lake.read(lake.snapshot(BARS_1M, symbol=symbol, start=START, end=TRAINED), ["ts"])
    said = np.random.default_rng(seed).normal(0, 4e-4, bars.height)
    fold = (np.arange(bars.height) >= bars.height // 2).astype(np.int16)
    said_at = bars.select(pl.lit(model).alias("model"), pl.lit(symbol).alias("symbol"), "ts")
    return said_at.with_columns(pl.Series("prediction", said), pl.Series("fold", fold))


def regimes(lake, symbol):
    """Return features with a regime of two states, one that is known nowhere, and a column that is no regime."""
    bars = lake.read(lake.snapshot(BARS_1M, symbol=symbol), ["ts"])
    state = (np.arange(bars.height) // 100 % 2).astype(float)
    said = bars.select(pl.lit("core-1").alias("feature_set"), pl.lit(symbol).alias("symbol"), "ts")
    return said.with_columns(
        pl.Series("regime_up", state), pl.lit(-1.0).alias("regime_none"), pl.Series("regime_gap", state + 0.5)
    )


def work(service, settings):
    """Run everything that waits: our three steps, the simulations, and predictions that only GOOD can make."""
    lake = service.resources.lake

    def predict(context):
        if context.payload["model"] != GOOD:
            raise InvalidInput("the artefact is gone")
        lake.upsert(PREDICTIONS, predictions(lake, context.payload["model"], context.payload["symbol"]))
        return Outcome(result={})

    simulation = SimulationSettings(**settings.model_dump(exclude={"name"}))
    with own_handlers(settings) as own, simulation_handlers(simulation) as simulating:
        return run_pending(service.resources.queue, {**own, **simulating, JobKind.PREDICT: predict})
