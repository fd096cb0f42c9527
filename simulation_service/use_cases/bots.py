"""Bots: meta-models over what a base model said, walked forward once and kept in the lake by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import polars as pl

from shared.contracts.backtests import Signal
from shared.contracts.identifiers import fingerprint
from shared.contracts.sessions import all_sessions
from shared.errors import NotFound
from shared.storage.postgres import Connection
from simulation_service.domain.bot import BotSpec, Said, probabilities, sides
from simulation_service.domain.market import Floats
from simulation_service.store import Series

Fence = Callable[[Connection], None]


class Bots:
    """The probability that a base model is right, by bar."""

    def __init__(self, series: Series) -> None:
        self._series = series

    def probability(
        self, said: Said, spec: BotSpec, *, teacher: Said | None = None, still_mine: Fence | None = None
    ) -> pl.DataFrame:
        """Return ts and probability (null where the bot says nothing) of every bar of `said`.

        What was worked out once is read back. Raises NotFound when no block has an earlier one to learn from.
        """
        library = version("scikit-learn")
        name = said.fingerprint(spec, library)
        if teacher is not None:
            name = fingerprint("taught_bot", bot=name, teacher=teacher.fingerprint(spec, library))
        kept = self._series.bot(name)
        if not kept.is_empty():
            return kept
        found = probabilities(said, spec, teacher)
        if not np.isfinite(found).any():
            raise NotFound(
                "the bot has nothing to learn from: it needs out-of-sample predictions of walk-forward folds (for a "
                "series of your own: of months) that ended before those it is asked about"
            )
        frame = pl.DataFrame(
            {
                "ts": pl.Series(said.ts_us).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
                "probability": pl.Series(found).fill_nan(None),
            }
        )
        self._series.save_bot(name, frame, still_mine)
        return frame


def said_of(bars: pl.DataFrame, prediction: Floats, block: np.ndarray, signal: Signal) -> Said:
    """Return what the base model said on the bars inside regular hours.

    prediction : float64 of shape (bars,), NaN where nothing was said; block : its block, read only where it is not NaN
    """
    calendar = all_sessions()
    ts_us = bars["ts"].dt.epoch("us").to_numpy()
    session = calendar.index_of(ts_us)
    inside = session >= 0
    close = bars["close"].to_numpy()
    side, size = sides(signal, prediction, close)
    return Said(
        ts_us=ts_us[inside],
        session=session[inside],
        minute=calendar.minute_of(ts_us[inside]),
        high=bars["high"].to_numpy()[inside],
        low=bars["low"].to_numpy()[inside],
        close=close[inside],
        side=side[inside],
        size=size[inside],
        block=np.where(np.isfinite(prediction), block, -1)[inside].astype(np.int64),
    )
