"""The lake as this service sees it: bars and predictions in, the trial ledger out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from shared.contracts.datasets import (
    BARS_1M,
    BOTS,
    CORPORATE_ACTIONS,
    EXPOSURES,
    FEATURES,
    PREDICTIONS,
    SIGNALS,
    TRIALS,
)
from shared.contracts.messages import Window
from shared.contracts.splits import PRICES, split_multipliers, trading_days
from shared.errors import NotFound
from shared.storage.lake import Lake
from shared.storage.postgres import Connection
from simulation_service.domain.engine import SweepResult
from simulation_service.domain.market import SLOTS, Floats, Market

Precondition = Callable[[Connection], None]


@dataclass(frozen=True)
class Predicted:
    """What a model or a user said, by bar: ts, prediction, fold (-1: the frozen model), ascending; never empty."""

    frame: pl.DataFrame

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds the predictions come from, ascending."""
        return tuple(self.frame["fold"].unique().sort().to_list())


class Series:
    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def bars(self, symbol: str, window: Window) -> pl.DataFrame:
        """Return the bars of a window, ascending, all in shares of its last day. Raises NotFound when there are none.

        The lake has them as they were traded. Before a split inside the window prices are multiplied by `basis`, and
        volume is divided by it; elsewhere it is 1. So shares, and fees a share, are counted in those of the last day.
        Dividends are not put in.
        """
        bars = self._lake.read(self._lake.snapshot(BARS_1M, symbol=symbol, start=window.start_utc, end=window.end_utc))
        if bars.is_empty():
            raise NotFound(f"there are no bars of {symbol} from {window.start} to {window.end}: ingest them first")
        actions = self._lake.read(self._lake.snapshot(CORPORATE_ACTIONS, symbol=symbol))
        basis = split_multipliers(trading_days(bars["ts"]), actions)
        bars = bars.with_columns(basis=pl.Series(basis))
        if (basis == 1).all():
            return bars
        return bars.with_columns(pl.col(*PRICES) * pl.col("basis"), pl.col("volume") / pl.col("basis"))

    def has_bars(self, symbol: str) -> bool:
        """Return whether there are any bars of a symbol; opens no file."""
        return bool(self._lake.snapshot(BARS_1M, symbol=symbol).files)

    def count_bars(self, symbol: str, window: Window) -> int:
        """Return how many bars the files of a window hold, at least those in it; opens no file."""
        return self._lake.snapshot(BARS_1M, symbol=symbol, start=window.start_utc, end=window.end_utc).rows

    def predictions(self, model: str, symbol: str, window: Window) -> Predicted:
        """Return a model's predictions in a window. Raises NotFound when there are none."""
        start, end = window.start_utc, window.end_utc
        found = self._lake.read(
            self._lake.snapshot(PREDICTIONS, model=model, symbol=symbol, start=start, end=end),
            ["ts", "prediction", "fold"],
        )
        if found.is_empty():
            raise no_predictions(model, symbol, window)
        return Predicted(found)

    def has_predictions(self, model: str, symbol: str, window: Window) -> bool:
        """Return whether a model's stored predictions of a symbol reach into the window; opens no file."""
        start, end = window.start_utc, window.end_utc
        return bool(self._lake.snapshot(PREDICTIONS, model=model, symbol=symbol, start=start, end=end).files)

    def models_of(self, symbol: str, window: Window) -> list[str]:
        """Return the models whose stored predictions of a symbol reach into the window, sorted; opens no file."""
        found = self._lake.snapshot(PREDICTIONS, symbol=symbol, start=window.start_utc, end=window.end_utc)
        return sorted({file.partition_values["model"] for file in found.files})

    def symbol_of_folds(self, model: str) -> str | None:
        """Return the symbol that a model's walk-forward folds predicted: the one it was trained on; None without."""
        for file in self._lake.partitions(PREDICTIONS, model=model):
            symbol = file.partition_values["symbol"]
            folds = self._lake.read(self._lake.snapshot(PREDICTIONS, model=model, symbol=symbol), ["fold"])
            if (folds["fold"] >= 0).any():
                return symbol
        return None

    def feature_column(self, symbol: str, name: str, window: Window) -> pl.DataFrame:
        """Return ts and `value` of a feature column in a window.

        Of several feature sets that have the column the one built last, as training takes it; `set:column` names one.
        Raises NotFound when none has it.
        """
        wanted, _, column = name.rpartition(":")
        files = self._lake.snapshot(FEATURES, symbol=symbol, start=window.start_utc, end=window.end_utc).files
        having = [
            file for file in files if column in file.columns and wanted in {"", file.partition_values["feature_set"]}
        ]
        if not having:
            known = sorted({file.partition_values["feature_set"] for file in files})
            raise NotFound(
                f"no feature set of {symbol} has a column {name!r} from {window.start} to {window.end} "
                f"(built there: {', '.join(known) or 'none'}): build one that has it"
            )
        chosen = max(having, key=lambda file: file.committed_at).partition_values["feature_set"]
        snapshot = self._lake.snapshot(
            FEATURES, feature_set=chosen, symbol=symbol, start=window.start_utc, end=window.end_utc
        )
        return self._lake.read(snapshot, ["ts", column]).rename({column: "value"})

    def columns_called(self, symbol: str, prefix: str, window: Window) -> list[str]:
        """Return the feature columns of a symbol in a window whose names begin so, sorted; opens no file."""
        files = self._lake.snapshot(FEATURES, symbol=symbol, start=window.start_utc, end=window.end_utc).files
        return sorted({name for file in files for name in file.columns if name.startswith(prefix)})

    # bots ---------------------------------------------------------------------------------------------------------

    def bot(self, name: str) -> pl.DataFrame:
        """Return a bot's probabilities: ts, probability; empty when they were not worked out yet."""
        return self._lake.read(self._lake.snapshot(BOTS, bot=name), ["ts", "probability"])

    def save_bot(self, name: str, frame: pl.DataFrame, precondition: Precondition | None) -> None:
        """Keep a bot's probabilities (ts, probability) under its name."""
        rows = frame.select(pl.lit(name).alias("bot"), "ts", "probability")
        self._lake.replace(BOTS, rows, precondition=precondition)

    # what users brought -------------------------------------------------------------------------------------------

    def save_signals(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a series (ts, value) under its name, which is that of its content: again changes nothing."""
        self._lake.replace(SIGNALS, frame.select(pl.lit(name).alias("signals"), "ts", "value"))

    def signals(self, name: str) -> pl.DataFrame:
        """Return the whole series: ts, value."""
        return self._lake.read(self._lake.snapshot(SIGNALS, signals=name), ["ts", "value"])

    # the trial ledger ---------------------------------------------------------------------------------------------

    def save_sweep(self, sweep: str, market: Market, result: SweepResult, precondition: Precondition | None) -> None:
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
