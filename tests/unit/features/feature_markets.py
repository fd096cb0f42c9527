"""Random but lawful regular-hours bars for the tests of features."""

from datetime import UTC, datetime

import numpy as np
import polars as pl

from feature_service.domain.bars import Bars, bars_of, usable
from shared.contracts.datasets import TS
from shared.contracts.sessions import sessions_between


def bars_frame(
    rng: np.random.Generator,
    start: datetime = datetime(2024, 6, 24, tzinfo=UTC),
    end: datetime = datetime(2024, 7, 10, tzinfo=UTC),
    keep: float = 1.0,
    price: float = 100.0,
) -> pl.DataFrame:
    """Bars of BARS_1M's schema over the sessions of [start, end), each minute kept with probability `keep`.

    The default span holds a half day (2024-07-03) and a holiday.
    """
    span = (int(start.timestamp() * 1e6), int(end.timestamp() * 1e6))
    ts = sessions_between(*span).expected_minutes()
    ts = ts[rng.random(len(ts)) < keep]
    n = len(ts)
    # prices on a grid of cents, so that bars without range and minutes without movement do occur
    close = np.round(price * np.exp(np.cumsum(rng.standard_t(4, n) * 4e-4)), 2)
    open_ = np.round(np.concatenate([[price], close[:-1]]) * np.exp(rng.normal(0, 1e-4, n)), 2)
    high = np.round(np.maximum(open_, close) + rng.choice([0, 0.01, 0.05], n), 2)
    low = np.round(np.minimum(open_, close) - rng.choice([0, 0.01, 0.05], n), 2)
    volume = np.round(rng.gamma(2, 500, n)) * (rng.random(n) > 0.05)
    return pl.DataFrame(
        {
            "symbol": ["TEST"] * n,
            "ts": pl.Series(ts).cast(TS),
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
            "source": ["test"] * n,
        }
    )


def random_bars(seed: int, **kwargs: object) -> Bars:
    return bars_of(usable(bars_frame(np.random.default_rng(seed), **kwargs)))
