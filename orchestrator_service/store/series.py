"""Series in the lake: which sessions have features, predictions inside TRAIN, the ledger's daily numbers.

`sealed_returns` is the only reader of bars of CONFIRM here, and it asks for the look first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from orchestrator_service.domain.records import Look
from shared.contracts.datasets import BARS_1M, FEATURES, PREDICTIONS, TRIALS
from shared.contracts.messages import Window
from shared.contracts.sessions import Sessions, sessions_between
from shared.errors import Conflict, NotFound
from shared.storage.lake import Lake

Floats = npt.NDArray[np.float64]
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Daily:
    """Daily numbers of one sweep, shape (settings, T): after costs, and their timing alpha."""

    sessions: tuple[object, ...]
    returns: Floats
    alpha: Floats


class Series:
    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def sessions_with_features(
        self, symbol: str, feature_set: str, start: datetime | None, end: datetime | None
    ) -> Sessions:
        """Return the sessions of [start, end) that have feature rows; only their time stamps are read."""
        snapshot = self._lake.snapshot(FEATURES, start=start, end=end, feature_set=feature_set, symbol=symbol)
        if not snapshot.files:
            raise NotFound(
                f"there are no features of set {feature_set!r} for {symbol} in this span: build them first "
                f"(POST /features/build), and import or ingest its bars before that"
            )
        stamps = self._lake.read(snapshot, ["ts"])["ts"].dt.epoch("us").to_numpy()
        known = sessions_between(int(stamps[0]) - _DAY_US, int(stamps[-1]) + _DAY_US)
        rows = np.unique(known.index_of(stamps))
        rows = rows[rows >= 0]
        return Sessions(known.date[rows], known.open_us[rows], known.close_us[rows])

    def data_versions(self, symbol: str, feature_set: str, window: Window) -> dict[str, str]:
        """Return what names the bars and features of a span."""
        start, end = window.start_utc, window.end_utc
        bars = self._lake.snapshot(BARS_1M, start=start, end=end, symbol=symbol)
        features = self._lake.snapshot(FEATURES, start=start, end=end, symbol=symbol, feature_set=feature_set)
        return {"bars": bars.version, "features": features.version}

    def out_of_fold(self, model: str, symbol: str, train: Window) -> Floats:
        """Return a model's walk-forward predictions inside its training window, shape (n,)."""
        snapshot = self._lake.snapshot(
            PREDICTIONS, start=train.start_utc, end=train.end_utc, model=model, symbol=symbol
        )
        if not snapshot.files:
            return np.zeros(0)
        frame = self._lake.read(snapshot, ["prediction", "fold"])
        return frame.filter(pl.col("fold") >= 0)["prediction"].drop_nulls().to_numpy()

    def models_predicting(self, symbol: str, window: Window) -> set[str]:
        """Return the models that have predictions of `symbol` inside a span."""
        snapshot = self._lake.snapshot(PREDICTIONS, start=window.start_utc, end=window.end_utc, symbol=symbol)
        if not snapshot.files:
            return set()
        return set(self._lake.read(snapshot, ["model"])["model"].unique().to_list())

    def daily(self, sweep: str) -> Daily:
        """Return a sweep's daily numbers. Raises NotFound when its ledger is not in the lake."""
        snapshot = self._lake.snapshot(TRIALS, sweep=sweep)
        if not snapshot.files:
            raise NotFound(f"sweep {sweep[:10]} is registered but its daily results are not in the lake")
        frame = self._lake.read(snapshot).sort("setting", "session")
        settings = frame["setting"].n_unique()
        sessions = tuple(frame["session"].unique().sort().to_list())
        if frame.height != settings * len(sessions):
            raise Conflict(
                f"sweep {sweep[:10]} has {frame.height} daily rows, but {settings} settings x {len(sessions)} "
                "sessions: simulate it again"
            )
        shape = (settings, len(sessions))
        return Daily(
            sessions,
            frame["daily_return"].to_numpy().reshape(shape),
            frame["timing_alpha"].to_numpy().reshape(shape),
        )

    def sealed_bars(self, look: Look | None, symbol: str, window: Window) -> pl.DataFrame:
        """Return ts, open, close of CONFIRM, sorted. Raises Conflict unless a look was logged for it."""
        if look is None:
            raise Conflict("the holdout is sealed: log a look before reading it")
        snapshot = self._lake.snapshot(BARS_1M, start=window.start_utc, end=window.end_utc, symbol=symbol)
        return self._lake.read(snapshot, ["ts", "open", "close"])


def stacked(sweeps: Sequence[Daily]) -> Daily:
    """Return all settings of `sweeps` as one ledger, in order. Raises Conflict when they cover other sessions."""
    sessions = sweeps[0].sessions
    for sweep in sweeps[1:]:
        if sweep.sessions != sessions:
            raise Conflict(
                f"simulations of one run cover {len(sessions)} and {len(sweep.sessions)} sessions: the bars changed "
                "while it ran; start it again"
            )
    return Daily(
        sessions,
        np.concatenate([sweep.returns for sweep in sweeps]),
        np.concatenate([sweep.alpha for sweep in sweeps]),
    )
