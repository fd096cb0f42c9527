"""A small world for the orchestrator: bars in a real lake, and workers that train and simulate in a few lines.

Bars come every 39 minutes. A "model" holds those bars that its skill tells it to; skill 0 is a coin. What the workers
write are real rows: job results, predictions and trials in the lake, and registries served over HTTP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import polars as pl
from fastapi import FastAPI, HTTPException

from orchestrator_service.settings import Settings
from orchestrator_service.wiring import Wired, assemble
from shared.contracts.datasets import BARS_1M, FEATURES, PREDICTIONS, TRIALS
from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Predict, Sweep, Train
from shared.contracts.sessions import MINUTE_US, Sessions, all_sessions
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome
from shared.storage.lake import Lake
from shared.testing.jobs import run_pending
from shared.testing.servers import serving

STEP = 39  # minutes between bars
BARS = 10  # bars a session
STORED_SET = "core-1a2b3c4d"  # what the feature service stores "core" under
FEATURE_NAMES = ("f1", "f2", "f3", "f4", "f5", "f6")


def sessions_from(first: int, count: int) -> Sessions:
    known = all_sessions()
    rows = np.flatnonzero(known.date >= np.datetime64("2021-01-04"))[first:]
    full = rows[known.minutes[rows] == 390][:count]
    return Sessions(known.date[full], known.open_us[full], known.close_us[full])


@dataclass
class World:
    """Everything outside the orchestrator."""

    lake: Lake
    skill: dict[str, float]
    sessions: Sessions
    models: dict[str, dict] = field(default_factory=dict)
    sweeps: dict[str, dict] = field(default_factory=dict)
    trades: dict[str, list[dict]] = field(default_factory=dict)
    predicted: list[Predict] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)  # estimators whose training fails
    drift: float = 0.0

    # data -------------------------------------------------------------------------------------------------------------

    def returns(self, symbol: str) -> np.ndarray:
        rng = np.random.default_rng(int(hashlib.sha256(symbol.encode()).hexdigest()[:8], 16))
        return rng.normal(self.drift, 0.002, (len(self.sessions), BARS))

    def write_bars(self, symbol: str, feature_set: str = STORED_SET) -> None:
        moves = self.returns(symbol).ravel()
        opens = 100 * np.exp(np.cumsum(np.concatenate([[0], np.log1p(moves)])))
        stamps = (self.sessions.open_us[:, None] + np.arange(BARS) * STEP * MINUTE_US).ravel()
        ts = pl.Series("ts", stamps).cast(pl.Datetime("us", "UTC"))
        bars = pl.DataFrame(
            {"open": opens[:-1], "high": opens[:-1] * 1.01, "low": opens[:-1] * 0.99, "close": opens[1:]}
        ).with_columns(ts, symbol=pl.lit(symbol), volume=pl.lit(100.0), source=pl.lit("test"))
        self.lake.upsert(BARS_1M, bars.select(BARS_1M.schema.names()))
        features = pl.DataFrame({"ts": ts}).with_columns(
            feature_set=pl.lit(feature_set), symbol=pl.lit(symbol), f1=pl.lit(0.0)
        )
        self.lake.upsert(FEATURES, features.select("feature_set", "symbol", "ts", "f1"))

    # workers ----------------------------------------------------------------------------------------------------------

    def train(self, ctx: JobContext) -> Outcome:
        request = Train.model_validate(dict(ctx.payload))
        assert request.feature_set == STORED_SET
        if request.estimator in self.broken:
            raise ValueError(f"{request.estimator} cannot be trained here")
        name = fingerprint("model", request=request)
        used = list(request.features or FEATURE_NAMES)
        # the last feature is worthless until three are left
        importance = {one: 1.0 + index for index, one in enumerate(used)}
        if len(used) > 3:
            importance[used[-1]] = 0.0
        self.models[name] = {
            "fingerprint": name,
            "symbol": request.symbol,
            "features": used,
            "importance": importance,
            "artefact_sha256": hashlib.sha256(name.encode()).hexdigest(),
            "metrics": {"r2": 0.01},
        }
        rng = np.random.default_rng(int(name[:8], 16))
        inside = self.sessions.open_us[(self.sessions.open_us >= _us(request.train.start))][:40]
        frame = pl.DataFrame({"ts": pl.Series(inside).cast(pl.Datetime("us", "UTC"))}).with_columns(
            model=pl.lit(name),
            symbol=pl.lit(request.symbol),
            fold=pl.lit(0, pl.Int16),
            prediction=pl.Series(rng.normal(0, 0.001, len(inside))),
        )
        self.lake.upsert(PREDICTIONS, frame.select(PREDICTIONS.schema.names()), precondition=ctx.still_mine)
        return Outcome(result={"fingerprint": name, "reused": False, "importance": importance, "metrics": {}})

    def predict(self, ctx: JobContext) -> Outcome:
        request = Predict.model_validate(dict(ctx.payload))
        self.predicted.append(request)
        return Outcome(result={"model": request.model})

    def sweep(self, ctx: JobContext) -> Outcome:
        request = Sweep.model_validate(dict(ctx.payload))
        name = fingerprint("sweep", request=request)
        start, end = _us(request.window.start), _us(request.window.end)
        rows = np.flatnonzero((self.sessions.open_us >= start) & (self.sessions.open_us < end))
        moves = self.returns(request.symbol)[rows]
        skill = self.skill[request.symbol]
        runs, frames = [], []
        for index, setting in enumerate(request.settings):
            seed = int(fingerprint("seed", model=request.model, setting=setting, window=request.window)[:8], 16)
            noise = np.random.default_rng(seed).normal(0, 0.002, moves.shape)
            held = ((skill * moves + noise) > 0).astype(float)
            frozen = self._frozen(request, index, held.mean(axis=0))
            earned = held * moves
            daily, alpha = earned.sum(axis=1), (earned - frozen * moves).sum(axis=1)
            runs.append({"index": index, "metrics": _metrics(earned[held > 0], daily)})
            frames.append(
                pl.DataFrame({"session": self.sessions.date[rows], "daily_return": daily, "timing_alpha": alpha})
                .with_columns(sweep=pl.lit(name), setting=pl.lit(index, pl.Int32))
                .select(TRIALS.schema.names())
            )
            self.trades[f"{name}-{index}"] = self._trades(rows, held)
            self.sweeps[name] = {"fingerprint": name, "runs": runs, "exposures": {}}
        self.lake.replace(TRIALS, pl.concat(frames), precondition=ctx.still_mine)
        return Outcome(result={"fingerprint": name, "reused": False, "runs": runs})

    def _frozen(self, request: Sweep, index: int, own: np.ndarray) -> np.ndarray:
        if request.baseline_sweep is None:
            return own
        assert request.baseline_sweep in self.sweeps
        assert request.baseline_settings[index] < len(self.sweeps[request.baseline_sweep]["runs"])
        return np.full_like(own, 0.5)

    def _trades(self, rows: np.ndarray, held: np.ndarray) -> list[dict]:
        trades = []
        for day, bar in np.argwhere(held > 0):
            entry = self.sessions.open_us[rows[day]] + bar * STEP * MINUTE_US
            last = bar == BARS - 1
            trades.append(
                {
                    "entry_ts": _text(entry),
                    "exit_ts": _text(entry if last else entry + STEP * MINUTE_US),
                    "side": "long",
                    "left_by": "close" if last else "time",
                }
            )
        return trades

    def app(self) -> FastAPI:
        """Features, training and simulation in one server: the GETs that the orchestrator asks."""
        app = FastAPI()

        @app.get("/coverage")
        def coverage(symbol: str, feature_set: str) -> dict:
            known = feature_set in {"core", STORED_SET}
            items = [{"symbol": one, "feature_set": STORED_SET} for one in self.skill if known and one == symbol]
            return {"items": items, "total": len(items), "page": 1, "per_page": 100}

        @app.get("/models/{name}")
        def model(name: str) -> dict:
            return _known(self.models, name)

        @app.get("/sweeps/{name}")
        def sweep(name: str) -> dict:
            return _known(self.sweeps, name)

        @app.get("/runs/{name}/trades")
        def trades(name: str) -> list[dict]:
            return _known(self.trades, name)

        return app


@dataclass(frozen=True)
class House:
    """The orchestrator's own parts beside the world."""

    world: World
    wired: Wired
    settings: Settings

    @property
    def handlers(self) -> dict:
        evolution, confirmation = self.wired.evolution, self.wired.confirmation
        return {
            JobKind.BREED: evolution.breed,
            JobKind.TRIAL: evolution.trial,
            JobKind.JUDGE: evolution.judge,
            JobKind.VERDICT: confirmation.verdict,
            JobKind.TRAIN: self.world.train,
            JobKind.PREDICT: self.world.predict,
            JobKind.SWEEP: self.world.sweep,
        }

    def work(self, *, without: tuple[JobKind, ...] = ()) -> list:
        """Run every job there is, but those `without`."""
        handlers = {kind: handler for kind, handler in self.handlers.items() if kind not in without}
        return run_pending(self.wired.resources.queue, handlers)


@contextmanager
def house(database_url: str, home, lake: Lake, *, skill: dict[str, float], days: int = 500) -> Iterator[House]:
    world = World(lake=lake, skill=skill, sessions=sessions_from(0, days))
    for symbol in skill:
        world.write_bars(symbol)
    with serving(world.app()) as http:
        address = str(http.base_url)
        settings = Settings(
            database_url=database_url,
            home=home,
            features_url=address,
            training_url=address,
            simulation_url=address,
        )
        with assemble(settings) as wired:
            yield House(world, wired, settings)


def _known(things: dict, name: str):
    if name not in things:
        raise HTTPException(404, f"no {name}")
    return things[name]


def _metrics(trades: np.ndarray, daily: np.ndarray) -> dict:
    sd = float(trades.std(ddof=1))
    t = float(trades.mean() / sd)
    losses = -float(trades[trades < 0].sum())
    return {
        "total_return": float(daily.sum()), "buy_hold_return": 0.0,
        "sharpe": float(daily.mean() / daily.std(ddof=1) * np.sqrt(252)), "max_drawdown": -0.1,
        "sqn": t * np.sqrt(len(trades)), "sqn100": t * np.sqrt(min(len(trades), 100)),
        "profit_factor": float(trades[trades > 0].sum()) / losses, "trades": len(trades),
        "win_rate": float((trades > 0).mean()), "hit_rate": None, "exposure": 0.5, "costs_paid": 0.0,
        "final_equity": 100_000.0, "timing_alpha_t": None,
    }  # fmt: skip


def _us(at: datetime) -> int:
    return round(at.timestamp()) * 1_000_000


def _text(micros: int) -> str:
    return datetime.fromtimestamp(int(micros) / 1e6, UTC).isoformat().replace("+00:00", "Z")
