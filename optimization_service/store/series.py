"""The lake as this service sees it: which bars, predictions and regimes are there, and the trial ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from optimization_service.domain.batch import Pair
from optimization_service.domain.halves import Floats
from shared.contracts.datasets import BARS_1M, FEATURES, PREDICTIONS, TRIALS
from shared.storage.lake import Lake

#: a column of more states than this is no regime
MAX_STATES = 16


class Series:
    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def bars_end(self, symbol: str) -> datetime | None:
        """Return the moment after a symbol's last stored bar, None when it has none."""
        stored = self._lake.partitions(BARS_1M, symbol=symbol)
        last = max((part.max_ts for part in stored if part.max_ts is not None), default=None)
        return None if last is None else last + timedelta(minutes=1)

    def lacks_predictions(self, pair: Pair) -> bool:
        """Return whether some session of the pair's window has bars but no prediction.

        Sessions and not bars: a feature's warm-up leaves the first minutes of a session unsaid for ever.
        """
        span = {"start": pair.window.start_utc, "end": pair.window.end_utc}
        bars = self._lake.snapshot(BARS_1M, symbol=pair.symbol, start=span["start"], end=span["end"])
        said = self._lake.snapshot(
            PREDICTIONS, model=pair.model, symbol=pair.symbol, start=span["start"], end=span["end"]
        )
        return not _days(self._lake.read(bars, ["ts"])) <= _days(self._lake.read(said, ["ts"]))

    def learns(self, model: str) -> bool:
        """Return whether a model has predictions of walk-forward folds, which a bot learns from."""
        for part in self._lake.partitions(PREDICTIONS, model=model):
            snapshot = self._lake.snapshot(PREDICTIONS, model=model, symbol=part.partition_values["symbol"])
            if (self._lake.read(snapshot, ["fold"])["fold"] >= 0).any():
                return True
        return False

    def regimes(self, pair: Pair) -> dict[str, set[int]]:
        """Return the columns of states (named regime_*) that the symbol's features have in the window, and the states.

        Of several feature sets that have a column the one built last, as simulations read it.
        """
        start, end = pair.window.start_utc, pair.window.end_utc
        files = self._lake.snapshot(FEATURES, symbol=pair.symbol, start=start, end=end).files
        newest: dict[str, str] = {}
        for file in sorted(files, key=lambda file: file.committed_at):
            newest |= dict.fromkeys(
                (name for name in file.columns if name.startswith("regime_")), file.partition_values["feature_set"]
            )
        found: dict[str, set[int]] = {}
        for name, feature_set in sorted(newest.items()):
            snapshot = self._lake.snapshot(FEATURES, feature_set=feature_set, symbol=pair.symbol, start=start, end=end)
            states = _states(self._lake.read(snapshot, ["ts", name])[name])
            if states:
                found[name] = states
        return found

    def daily_returns(self, runs: Sequence[tuple[str, int]]) -> list[Floats]:
        """Return the daily returns of simulated settings (sweep and index), ascending by session, in the same order.

        Settings whose ledger is not there any more are left out.
        """
        sweeps = sorted({sweep for sweep, _ in runs})
        if not sweeps:
            return []
        ledger = self._lake.read(
            self._lake.snapshot(TRIALS, sweep=sweeps), ["sweep", "setting", "session", "daily_return"]
        )
        found = {
            (str(key[0]), int(key[1])): rows["daily_return"].to_numpy()
            for key, rows in ledger.partition_by("sweep", "setting", as_dict=True, maintain_order=True).items()
        }
        return [found[run] for run in runs if run in found]


def _states(column: pl.Series) -> set[int]:
    """Return the states in a column, none when it holds anything but a few whole numbers; -1 is unknown."""
    values = column.cast(pl.Float64).drop_nulls().drop_nans().unique()
    if len(values) > MAX_STATES or not ((values == values.round()) & (values >= -1) & (values < 128)).all():
        return set()
    return {int(value) for value in values if value >= 0}


def _days(stamps: pl.DataFrame) -> set[Any]:
    # the UTC date names a New York session: regular hours never cross midnight UTC
    return set(stamps["ts"].dt.date().unique().to_list())
