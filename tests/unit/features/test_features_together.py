"""Symbols on one clock and episodes: what is joined was known, and what is test was never trained on."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from feature_markets import bars_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_service.domain.alignment import as_of_join, inner_join
from feature_service.domain.episodes import (
    OPTIONS,
    TIMEFRAMES,
    among,
    buckets,
    days_of,
    episodes,
    rows_of,
    session_count,
)
from feature_service.domain.regimes.timeline import MAX_SPANS, spans
from shared.contracts.messages import Folds
from shared.errors import InvalidInput

START, END = datetime(2024, 5, 20, tzinfo=UTC), datetime(2024, 7, 8, tzinfo=UTC)


def stored(seed: int, keep: float, symbol: str) -> pl.DataFrame:
    frame = bars_frame(np.random.default_rng(seed), keep=keep)
    return frame.select("ts", x=pl.col("close"), y=pl.lit(symbol).str.len_chars() + pl.int_range(pl.len()))


@settings(max_examples=30, deadline=None)
@given(
    keeps=st.lists(st.floats(0.05, 1), min_size=2, max_size=3),
    seed=st.integers(0, 99),
    share=st.floats(0.05, 1),
    age=st.integers(0, 4_000),
)
def test_both_joins_take_nothing_later_and_prefixes_stay_prefixes(keeps, seed, share, age):
    frames = {f"S{number}": stored(seed + number, keep, "S") for number, keep in enumerate(keeps)}
    moment = frames["S0"]["ts"][round(share * (frames["S0"].height - 1))]
    known = {symbol: frame.filter(pl.col("ts") <= moment) for symbol, frame in frames.items()}
    until = pl.col("ts") <= moment
    assert inner_join(known).equals(inner_join(frames).filter(until))
    joined = as_of_join(frames, age * 1_000_000)
    assert as_of_join(known, age * 1_000_000).equals(joined.filter(until), null_equal=True)
    assert joined["ts"].equals(frames["S0"]["ts"])
    for symbol in list(frames)[1:]:
        theirs = dict(frames[symbol].select("ts", "x").iter_rows())
        seen = joined.select("ts", f"x_{symbol}", f"age_seconds_{symbol}").sample(20, seed=1)
        for ts, value, old in seen.iter_rows():
            last = max((one for one in theirs if ts - timedelta(seconds=age) <= one <= ts), default=None)
            assert value == (theirs[last] if last else None)
            assert old == ((ts - last).total_seconds() if last else None)


def test_the_inner_join_is_the_instants_all_have():
    frames = {symbol: stored(seed, 0.6, symbol) for seed, symbol in enumerate("ABC")}
    common = set.intersection(*(set(frame["ts"]) for frame in frames.values()))
    joined = inner_join(frames)
    assert set(joined["ts"]) == common
    assert joined.columns == ["ts", "x_A", "y_A", "x_B", "y_B", "x_C", "y_C"]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 99),
    keep=st.floats(0.3, 1.0),
    timeframe=st.sampled_from(list(TIMEFRAMES)),
    horizon=st.integers(1, 389),
    embargo=st.integers(0, 500),
    anchored=st.booleans(),
)
def test_a_bucket_with_any_test_minute_is_test_and_no_training_label_reaches_one(
    seed, keep, timeframe, horizon, embargo, anchored
):
    frame = bars_frame(np.random.default_rng(seed), START, END, keep=keep).select("ts", "close")
    ts = frame["ts"].to_physical().to_numpy()
    spec = Folds(train_days=10, test_days=4, embargo_bars=embargo, anchored=anchored)
    start, known = buckets(ts, TIMEFRAMES[timeframe])
    assert (start <= ts).all()
    assert (ts < known).all()
    for fold in episodes(ts, horizon, spec):
        rows = rows_of(frame, fold, timeframe)
        first, after = days_of(ts, fold)
        days = frame.filter(pl.col("ts").is_between(first, after, closed="left"))
        assert rows_of(days, among(fold, ts, days["ts"].to_physical().to_numpy()), timeframe).equals(rows)
        split = dict(zip(rows["ts"].to_physical().to_numpy(), rows["split"], strict=True))
        assert {split[one] for one in start[fold.test]} == {"test"}
        assert all(split.get(one) != "train" for one in set(start) - set(start[fold.train]))
        train, test = (rows.filter(pl.col("split") == part) for part in ("train", "test"))
        begins = int(ts[fold.test[0]])
        last_label = ts[fold.train].max() + (horizon + 1) * 60_000_000
        assert last_label <= begins
        assert train.is_empty() or train["known_at"].max() <= test["ts"].min()
        # a bucket's values are those of its last row
        row = rows.row(len(rows) // 2, named=True)
        inside = frame.filter(pl.col("ts").is_between(row["ts"], row["known_at"], closed="left"))
        assert row["close"] == inside["close"][-1]


def test_a_half_day_ends_its_last_bucket_at_the_close():
    frame = bars_frame(np.random.default_rng(0), datetime(2024, 7, 3, tzinfo=UTC), datetime(2024, 7, 4, tzinfo=UTC))
    ts = frame["ts"].to_physical().to_numpy()
    start, known = buckets(ts, TIMEFRAMES["1h"])
    assert len(np.unique(start)) == 4  # 210 minutes
    assert (known[-1] - start[-1]) // 60_000_000 == 30
    assert len(np.unique(buckets(ts, TIMEFRAMES["1d"])[0])) == 1


def test_an_option_says_how_many_sessions_it_needs():
    frame = bars_frame(np.random.default_rng(0), START, END)
    ts = frame["ts"].to_physical().to_numpy()
    have = session_count(ts)
    one = OPTIONS["rolling_20_5"]
    spec = Folds(train_days=one.train_days, test_days=one.test_days)
    assert one.sessions == 23 <= have
    days = frame["ts"].dt.date().to_numpy()
    assert len(episodes(ts[days <= np.unique(days)[22]], 15, spec)) == 1
    with pytest.raises(InvalidInput, match="too few"):
        episodes(ts[days <= np.unique(days)[21]], 15, spec)


def test_a_timeline_has_every_row_once_and_fits_a_screen():
    n = 20_000
    labels = np.random.default_rng(0).integers(0, 3, n).astype(float)
    ts = pl.datetime_range(START, START + timedelta(minutes=n - 1), "1m", eager=True)
    for column in (labels, np.repeat([0.0, np.nan, 2.0, 2.0], n // 4)):
        found = spans(pl.DataFrame({"ts": ts, "regime": column}), "regime")
        assert len(found) <= MAX_SPANS
        assert sum(one.rows for one in found) == n
        assert all(left.end < right.begin and left.label != right.label for left, right in pairwise(found))
    assert [one.label for one in found] == [0, -1, 2]
