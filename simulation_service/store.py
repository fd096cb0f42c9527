"""Everything the simulation service reads and writes: bars, predictions, the trial ledger, its registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from shared.contracts.datasets import BARS_1M, EXPOSURES, PREDICTIONS, TRIALS
from shared.contracts.messages import Window
from shared.errors import NotFound
from shared.storage.lake import Lake
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries
from simulation_service.domain.engine import SweepResult
from simulation_service.domain.market import SLOTS, Floats, Market, market_of
from simulation_service.domain.records import Run, SweepRecord

Precondition = Callable[[Connection], None]


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs, in which order, which page of them. None leaves a filter out."""

    symbol: str | None = None
    model: str | None = None
    sweep: str | None = None
    min_trades: int = 0
    sort: str = "created_at"
    descending: bool = True
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True)
class Predicted:
    """A market with a model's predictions laid over it, and the folds those came from, ascending."""

    market: Market
    folds: tuple[int, ...]


class Store:
    def __init__(self, database: Database, lake: Lake) -> None:
        self._database = database
        self._lake = lake
        self._queries = Queries.of("simulation_service")

    # series -------------------------------------------------------------------------------------------------------

    def market(self, model: str, symbol: str, window: Window) -> Predicted:
        """Read bars and predictions of a window. Raises NotFound when there are none of either."""
        start, end = window.start_utc, window.end_utc
        predictions = self._lake.read(
            self._lake.snapshot(PREDICTIONS, model=model, symbol=symbol, start=start, end=end),
            ["ts", "prediction", "fold"],
        )
        if predictions.is_empty():
            raise no_predictions(model, symbol, window)
        bars = self._lake.read(self._lake.snapshot(BARS_1M, symbol=symbol, start=start, end=end))
        if bars.is_empty():
            raise NotFound(f"there are no bars of {symbol} from {window.start} to {window.end}: ingest them first")
        joined = bars.join(predictions, on="ts", how="left", maintain_order="left")
        market = market_of(
            ts_us=joined["ts"].dt.epoch("us").to_numpy(),
            open=joined["open"].to_numpy(),
            high=joined["high"].to_numpy(),
            low=joined["low"].to_numpy(),
            close=joined["close"].to_numpy(),
            prediction=joined["prediction"].fill_null(np.nan).to_numpy(),
            fillable=(joined["source"].fill_null("") != "filled").to_numpy(),
        )
        return Predicted(market, tuple(predictions["fold"].unique().sort().to_list()))

    def has_predictions(self, model: str, symbol: str, window: Window) -> bool:
        """Return whether a model's stored predictions of a symbol reach into the window; opens no file."""
        start, end = window.start_utc, window.end_utc
        return bool(self._lake.snapshot(PREDICTIONS, model=model, symbol=symbol, start=start, end=end).files)

    def save_sweep(self, sweep: str, market: Market, result: SweepResult, precondition: Precondition) -> None:
        """Write the trial ledger and the exposures of a sweep, in place of earlier ones of the same name."""
        self._lake.replace(TRIALS, _trials(sweep, market.session, result), precondition=precondition)
        self._lake.replace(EXPOSURES, _exposures(sweep, result.mean_position), precondition=precondition)

    def exposures(self, sweep: str) -> Floats:
        """Return the mean positions of a sweep's settings, shape (settings, SLOTS)."""
        frame = self._lake.read(self._lake.snapshot(EXPOSURES, sweep=sweep))
        settings = frame["setting"].to_numpy()
        out = np.zeros((int(settings.max(initial=-1)) + 1, SLOTS))
        out[settings, frame["minute"].to_numpy().astype(np.int64) + 1] = frame["mean_position"].to_numpy()
        return out

    def trials(self, sweep: str, setting: int) -> pl.DataFrame:
        """Return a setting's sessions: session, daily_return, timing_alpha."""
        frame = self._lake.read(self._lake.snapshot(TRIALS, sweep=sweep))
        return frame.filter(pl.col("setting") == setting).select("session", "daily_return", "timing_alpha")

    # registry -----------------------------------------------------------------------------------------------------

    def sweep(self, fingerprint: str) -> SweepRecord | None:
        with self._database.transaction() as conn:
            return self._queries.row(conn, "sweep", SweepRecord, fingerprint=fingerprint)

    def sweeps(
        self, *, symbol: str | None, model: str | None, limit: int, offset: int
    ) -> tuple[list[SweepRecord], int]:
        filters = {"symbol": symbol, "model": model}
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "sweeps", SweepRecord, **filters, limit=limit, offset=offset)
            return found, self._queries.value(conn, "count_sweeps", **filters)

    def sweep_runs(self, sweep: str) -> list[Run]:
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "sweep_runs", Run, sweep=sweep)

    def run(self, sweep: str, index: int) -> Run | None:
        with self._database.transaction() as conn:
            return self._queries.row(conn, "run", Run, sweep=sweep, index=index)

    def runs(self, wanted: RunFilter) -> tuple[list[Run], int]:
        filters = {
            "symbol": wanted.symbol,
            "model": wanted.model,
            "sweep": wanted.sweep,
            "min_trades": wanted.min_trades,
        }
        order = {"sort": wanted.sort, "sign": -1.0 if wanted.descending else 1.0}
        page = {"limit": wanted.limit, "offset": wanted.offset}
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "runs", Run, **filters, **order, **page)
            return found, self._queries.value(conn, "count_runs", **filters)


def no_predictions(model: str, symbol: str, window: Window) -> NotFound:
    return NotFound(
        f"model {model[:10]} has no predictions for {symbol} from {window.start} to {window.end}: "
        "predict that window first"
    )


def _trials(sweep: str, sessions: np.ndarray, result: SweepResult) -> pl.DataFrame:
    settings, days = result.daily_returns.shape
    return pl.DataFrame(
        {
            "setting": np.repeat(np.arange(settings, dtype=np.int32), days),
            "session": pl.Series(np.tile(sessions.astype("datetime64[D]"), settings)),
            "daily_return": result.daily_returns.ravel(),
            "timing_alpha": result.timing_alpha.ravel(),
        }
    ).select(pl.lit(sweep).alias("sweep"), pl.all())


def _exposures(sweep: str, mean_position: Floats) -> pl.DataFrame:
    settings = len(mean_position)
    return pl.DataFrame(
        {
            "setting": np.repeat(np.arange(settings, dtype=np.int32), SLOTS),
            # slot 0 is the night before the session: minute -1
            "minute": np.tile(np.arange(-1, SLOTS - 1, dtype=np.int16), settings),
            "mean_position": mean_position.ravel(),
        }
    ).select(pl.lit(sweep).alias("sweep"), pl.all())
