"""Context over a real week: an index without volume, and the note that tracks it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_support import build, rows

from feature_service.wiring import assemble
from shared.contracts.datasets import BARS_1M

REAL = Path(__file__).parents[4] / "shared/data/bars_1m/A/us2019feb"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real bars at ../shared/data are not here")
def test_context_over_a_real_week_of_vix_and_vxxb(settings):
    """VIX has no volume and lacks 27 minutes, VXXB neither: both serve, and what is missing is flagged."""
    window = {"start": datetime(2019, 2, 1, tzinfo=UTC), "end": datetime(2019, 3, 1, tzinfo=UTC)}
    with assemble(settings) as wired:
        for symbol in ("SPY", "AAPL", "QQQ", "VIX", "VXXB"):
            real = pl.read_parquet(REAL / f"{symbol}.parquet").with_columns(source=pl.lit("real"))
            wired.resources.lake.upsert(BARS_1M, real.select(BARS_1M.schema.names()).cast(dict(BARS_1M.schema)))
        for symbol in ("SPY", "AAPL"):
            build(wired, settings, symbol, **window)
        index = {symbol: rows(wired, symbol) for symbol in ("SPY", "AAPL")}
        other = settings.model_copy(update={"context_volatility": ("VXXB",)})
        with assemble(other) as again:
            build(again, other, "SPY", **window)
        traded = rows(wired, "SPY")
    for frame in (*index.values(), traded):
        assert frame.drop("ts").fill_nan(None).null_count().sum_horizontal().item() == 0
        # a session's length of bars before the first full window; then hardly a row lacks its context
        missing = frame["context_missing"].to_numpy()
        assert missing[:389].all()
        assert missing[395:].mean() < 0.02
    closes = pl.read_parquet(REAL / "SPY.parquet").select("ts", "close", "open")
    for frame, least in ((index["SPY"], -0.25), (traded, -0.6)):
        day = (
            frame.join(closes, on="ts")
            .with_columns(own=pl.col("close").log().diff().over(pl.col("ts").dt.date()))
            .drop_nulls()
        )
        assert np.corrcoef(day["vix_log_ret"], day["own"])[0, 1] < least
    assert 0.4 < index["SPY"]["qqq_beta"][-1] < 0.95
    assert 0.9 < index["AAPL"]["qqq_beta"][-1] < 1.4
