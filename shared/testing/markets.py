"""Minute bars of a known law, for tests of services that read bars."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from shared.contracts.datasets import BARS_1M, TS
from shared.contracts.sessions import sessions_between


def reverting_bars(symbol: str, start: datetime, end: datetime, *, seed: int, pull: float = 0.0) -> pl.DataFrame:
    """Return regular-hours bars whose next return is noise minus `pull` times the present one.

    pull : 0 is a random walk; 0.3 makes the last return predict the next with a correlation of about -0.3
    """
    ts = sessions_between(int(start.timestamp() * 1e6), int(end.timestamp() * 1e6)).expected_minutes()
    rng = np.random.default_rng(seed)
    noise, returns = rng.normal(0, 5e-4, len(ts)), np.zeros(len(ts))
    for row in range(1, len(ts)):
        returns[row] = noise[row] - pull * returns[row - 1]
    close = 100 * np.exp(np.cumsum(returns))
    opens = np.concatenate([[100.0], close[:-1]])
    return pl.DataFrame(
        {
            "symbol": pl.Series([symbol] * len(ts)),
            "ts": pl.Series(ts).cast(TS),
            "open": opens,
            "high": np.maximum(opens, close) * 1.0001,
            "low": np.minimum(opens, close) * 0.9999,
            "close": close,
            "volume": np.round(rng.gamma(4, 250, len(ts))),
            "source": pl.Series(["test"] * len(ts)),
        }
    ).cast(dict(BARS_1M.schema))  # pyright: ignore[reportArgumentType] - a schema is a mapping of types
