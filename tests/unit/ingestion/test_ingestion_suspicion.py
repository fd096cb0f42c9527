"""Spikes and stale repeats: found where they were put, never in real minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.domain.suspicion import spikes, stale
from ingestion_service.domain.validation import Reason, for_quarantine, screen, screen_many
from shared.contracts.datasets import BARS_1M, QUARANTINE
from shared.testing.markets import reverting_bars

REAL = Path(__file__).parents[4] / "shared" / "data"
BARS = reverting_bars("SPY", datetime(2024, 6, 24, tzinfo=UTC), datetime(2024, 7, 6, tzinfo=UTC), seed=1)
ROWS = [3, 200, 389, 390, 391, 700, BARS.height - 4]


def changed(rows: list[int], **columns: pl.Expr) -> pl.DataFrame:
    chosen = pl.int_range(pl.len()).is_in(rows)
    return BARS.with_columns(
        pl.when(chosen).then(value).otherwise(pl.col(name)).alias(name) for name, value in columns.items()
    )


@pytest.mark.parametrize("times", [0.01, 0.5, 0.96, 1.04, 2.0, 100.0])
def test_a_bar_off_its_surroundings_is_a_spike_at_the_edges_of_sessions_too(times):
    prices = {name: pl.col(name) * times for name in ("open", "high", "low", "close")}
    assert np.flatnonzero(spikes(changed(ROWS, **prices))).tolist() == ROWS


@pytest.mark.parametrize(("wick", "times"), [("high", 1.04), ("low", 0.96)])
def test_a_wick_alone_is_one_too(wick, times):
    assert np.flatnonzero(spikes(changed(ROWS, **{wick: pl.col(wick) * times}))).tolist() == ROWS


def test_three_bad_bars_in_a_row_do_not_hide_each_other():
    prices = {name: pl.col(name) * 1.1 for name in ("open", "high", "low", "close")}
    assert np.flatnonzero(spikes(changed([500, 501, 502], **prices))).tolist() == [500, 501, 502]


def wild(length: int) -> pl.DataFrame:
    """Return minutes that move 0.6 % each, joined end to end as a market's are."""
    steps = 0.006 * np.sign(np.random.default_rng(3).normal(size=length))
    close = 100 * np.exp(np.cumsum(steps))
    opened = np.append(100.0, close[:-1])
    prices = {"open": opened, "high": np.maximum(opened, close), "low": np.minimum(opened, close), "close": close}
    return BARS.head(length).with_columns(**{name: pl.Series(values) for name, values in prices.items()})


@pytest.mark.parametrize("run", [[200], [200, 201], [200, 201, 202]])
def test_in_wild_minutes_bars_that_leap_away_and_back_are_spikes_and_those_between_are_not(run):
    bars = wild(390)
    assert not spikes(bars).any()
    off = pl.int_range(pl.len()).is_in([*run, run[-1] + 2])  # and one more, beyond a sound bar
    away = bars.with_columns(
        pl.when(off).then(pl.col(name) * 1.05).otherwise(pl.col(name)) for name in ("open", "high", "low", "close")
    )
    assert np.flatnonzero(spikes(away)).tolist() == [*run, run[-1] + 2]


def test_a_bar_that_opens_at_the_close_before_is_no_leap_however_wild():
    bars = wild(390)
    there, back = (pl.int_range(pl.len()) == row for row in (200, 201))
    peak = bars.with_columns(
        high=pl.when(there | back).then(pl.col("high") * 1.05).otherwise("high"),
        close=pl.when(there).then(pl.col("high") * 1.05).otherwise("close"),
        open=pl.when(back).then(bars["high"][200] * 1.05).otherwise("open"),
    )
    assert not spikes(peak).any()


def test_a_move_that_stays_is_no_spike_however_large():
    moved = pl.int_range(pl.len()) >= 500
    stepped = BARS.with_columns(
        pl.when(moved).then(pl.col(name) / 10).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    assert not spikes(stepped).any()


def test_a_bar_is_judged_when_bars_on_both_sides_are_there():
    bad = changed([100], close=pl.col("close") * 2, high=pl.col("high") * 2)
    assert not spikes(bad.head(103)).any()
    assert spikes(bad.head(104))[100]


def repeated(first: int, repeats: int, **more: object) -> pl.DataFrame:
    row = BARS.row(first, named=True) | more
    copies = [row | {"ts": row["ts"] + timedelta(minutes=i)} for i in range(repeats + 1)]
    new = pl.DataFrame(copies, schema=BARS.schema)
    return pl.concat([BARS.join(new, on="ts", how="anti"), new]).sort("ts")


def test_a_feed_that_stands_still_is_stale_and_the_first_bar_is_kept():
    assert np.flatnonzero(stale(repeated(50, 6))).tolist() == [51, 52, 53, 54, 55, 56]
    assert not stale(repeated(50, 1)).any()  # two equal bars happen
    flat = dict.fromkeys(("open", "high", "low", "close"), 100.0)
    assert not stale(repeated(50, 3, **flat)).any()
    assert stale(repeated(50, 4, **flat)).sum() == 4
    assert not stale(repeated(50, 29, **flat, volume=None)).any()  # an index may stand still
    assert not stale(repeated(50, 6, volume=0.0)).any()  # some sources say 0 where there is no volume
    assert not stale(BARS.with_columns(pl.lit(1.0).alias("volume"))).any()
    seldom = repeated(50, 6).filter(pl.int_range(pl.len()) % 2 == 0)
    assert stale(seldom).sum() == 3  # of a symbol that prints every other minute, too
    assert not stale(repeated(50, 12, **flat).filter(pl.int_range(pl.len()) % 2 == 0)).any()


@pytest.mark.skipif(not REAL.is_dir(), reason="the real bars at ../shared/data are not here")
@pytest.mark.parametrize("kind", ["bars_1m", "bars_1m_ext"])
def test_no_real_minute_is_suspected(kind):
    files = sorted((REAL / kind / "A").glob("*/*.parquet"))
    assert files
    for file in files:
        bars = pl.read_parquet(file).with_columns(symbol=pl.lit(file.stem)).sort("ts")
        assert spikes(bars).sum() + stale(bars).sum() == 0, file


def raw(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.select(RAW_SCHEMA.names())


def test_what_comes_next_reveals_a_stored_spike():
    bad = changed([100], close=pl.col("close") * 2, high=pl.col("high") * 2)
    first = screen(raw(bad.head(101)), "SPY", "feed")
    assert first.rejected == {}
    later = screen(raw(bad[101:110]), "SPY", "feed", first.bars)
    assert later.rejected == {}
    assert later.withdrawn.select("ts", "reason").row(0) == (bad["ts"][100], Reason.SPIKE.value)
    assert later.bars.height == 9


def test_a_spike_on_the_way_in_is_refused_and_a_corrected_bar_is_taken():
    bad = changed([100], close=pl.col("close") * 2, high=pl.col("high") * 2)
    first = screen(raw(bad), "SPY", "feed")
    assert first.rejected == {Reason.SPIKE: 1}
    assert first.refused["close"][0] == bad["close"][100]
    corrected = screen(raw(BARS[100:101]), "SPY", "feed", first.bars)
    assert (corrected.bars.height, corrected.rejected) == (1, {})


def test_quarantined_rows_keep_their_name_when_they_come_again():
    nothing = dict.fromkeys(("open", "high", "low", "close"), None)
    rows = pl.concat([raw(BARS.head(2)), raw(changed([0], **{k: pl.lit(None) for k in nothing})).head(1)] * 2)
    when = datetime(2025, 1, 1, tzinfo=UTC)
    ids = [for_quarantine(screen(rows, "SPY", "feed").refused, when)["id"].to_list() for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0]) == 4  # two duplicates, two rows without a price
    other = for_quarantine(screen(rows, "SPY", "other").refused, when)
    assert other.schema == QUARANTINE.schema
    assert not set(other["id"]) & set(ids[0])
    assert BARS_1M.schema.names() == screen(rows, "SPY", "feed").bars.columns


def test_of_a_minute_given_twice_the_earlier_row_is_stored_when_the_last_is_a_spike():
    spike = pl.col("open", "high", "low", "close") * 3
    sound = BARS.select(list(RAW_SCHEMA))
    raw = pl.concat([sound, sound[[200]].with_columns(spike), sound[[200]].with_columns(spike * 2)])
    found = screen(raw, "SPY", "feed")
    assert found.bars["close"].to_list() == BARS["close"].to_list()
    assert found.rejected == {Reason.SPIKE: 2}
    assert found.refused["close"].to_list() == [BARS["close"][200] * 3, BARS["close"][200] * 6]


def test_symbols_judged_together_are_judged_as_if_each_were_alone():
    higher = {name: pl.col(name) * 1.1 for name in ("close", "high")}
    night = raw(changed([200, BARS.height - 1], **higher)).with_columns(pl.col("ts") + timedelta(hours=12))
    begins_as_night_ends = raw(repeated(50, 6)).with_columns(
        pl.when(pl.int_range(pl.len()) < 2).then(night[name][-1]).otherwise(pl.col(name)).alias(name)
        for name in RAW_SCHEMA.names()[1:]
    )
    raws = {
        "SPY": pl.concat([raw(changed(ROWS, **higher)), raw(BARS[[50, 60]])]),
        "BTCUSD": night.reverse(),  # its last bar has nothing behind it but the first of DULL
        "DULL": begins_as_night_ends,
        "NONE": raw(BARS.clear()),
    }
    stored = pl.concat(BARS[40:45].with_columns(symbol=pl.lit(name)) for name in ("DULL", "SPY"))
    together = screen_many(raws, "feed", stored)
    for symbol, rows in raws.items():
        alone = screen(rows, symbol, "feed", stored.filter(pl.col("symbol") == symbol))
        assert together[symbol].bars.equals(alone.bars), symbol
        assert together[symbol].refused.equals(alone.refused), symbol
        assert together[symbol].rejected == alone.rejected
    found = {symbol: screened.rejected for symbol, screened in together.items()}
    assert found == {
        "SPY": {Reason.DUPLICATE: 2, Reason.SPIKE: len(ROWS)},
        "BTCUSD": {Reason.SPIKE: 1},  # a coin has no night
        "DULL": {Reason.STALE: 6},
        "NONE": {},
    }
