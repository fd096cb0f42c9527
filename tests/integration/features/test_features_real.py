"""The whole catalogue over real minutes: thirteen months of SPY, seven thin symbols, a week of 2019."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from pydantic import SecretStr

from feature_service.domain.catalogue import FULL
from feature_service.settings import Settings
from feature_service.wiring import assemble
from feature_service.worker import handlers
from shared.contracts.datasets import BARS_1M, FEATURES
from shared.contracts.messages import BuildFeatures, Window
from shared.jobs.model import JobState
from shared.testing.jobs import run_pending

MINUTES = Path(__file__).parents[4] / "shared/data/bars_1m/A"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not MINUTES.is_dir(), reason="the real minutes are not here"),
]
#: features that need more of the past than a session
LONG = max(one.warm_up for one in FULL.features)


@pytest.fixture
def build(database_url, data_dir):
    settings = Settings(database_url=SecretStr(database_url), home=data_dir)
    with assemble(settings) as service, handlers(settings) as known:

        def run(folder: str, symbols: list[str], start: datetime, end: datetime) -> dict[str, pl.DataFrame]:
            lake = service.resources.lake
            for path in sorted((MINUTES / folder).glob("*.parquet")):
                bars = pl.read_parquet(path).with_columns(pl.col("volume").cast(pl.Float64), source=pl.lit("real"))
                lake.upsert(BARS_1M, bars.select(list(BARS_1M.schema)).cast(dict(BARS_1M.schema)))
            window = Window(start=start, end=end)
            service.builds.submit([BuildFeatures(symbol=one, window=window, feature_set="full") for one in symbols])
            jobs = run_pending(service.resources.queue, known)
            assert {job.state for job in jobs} == {JobState.COMPLETED}, [job.error for job in jobs]
            assert service.features.build_counts().blocks_made_twice == 0
            return {
                one: lake.read(
                    lake.snapshot(FEATURES, symbol=one, feature_set=FULL.id, start=start, end=end),
                    ["ts", *FULL.columns],
                )
                for one in symbols
            }

        yield run


def infinities(frame: pl.DataFrame) -> int:
    return sum(int(frame[name].is_infinite().sum()) for name in FULL.columns)


def test_thirteen_months_of_spy_and_seven_thin_symbols(build):
    symbols = sorted(path.stem for path in (MINUTES / "us2024").glob("*.parquet"))
    built = build("us2024", symbols, datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC))
    assert len(built) == 8
    for symbol, frame in built.items():
        assert infinities(frame) == 0, symbol
        # beyond the beginning of history nothing is missing, on thin symbols neither
        late = frame.slice(LONG + 1).select(pl.any_horizontal(pl.col(FULL.columns).is_nan()))
        assert not late.to_series().any(), symbol
    assert built["SPY"].height == 99_264
    rsi = built["SPY"]["rsi_14"].drop_nans()
    assert rsi.min() >= 0
    assert rsi.max() <= 100


def test_the_week_of_february_2019_has_its_context(build):
    week = datetime(2019, 2, 1, tzinfo=UTC), datetime(2019, 3, 1, tzinfo=UTC)
    built = build("us2019feb", ["AAPL", "SPY", "UGA", "VIX"], *week)
    for symbol, frame in built.items():
        assert infinities(frame) == 0, symbol
        assert not frame["vix_z_score"].is_nan().any(), symbol
    # a session's worth of minutes comes before the first usual level of the proxy is known
    assert 0.15 < built["AAPL"]["context_missing"].mean() < 0.25
    assert built["AAPL"]["vix_z_score"].std() > 0.5
    # an index has no volume: what needs it is missing, the rest is there
    without = {one.name for one in FULL.features if "volume" in one.inputs}
    last = built["VIX"].row(-1, named=True)
    assert {name for name in FULL.columns if last[name] != last[name]} >= without
