"""The synthetic market: reproducible, consistent, on the calendar, with the stated edge where it is stated."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from shared.contracts.sessions import MINUTE_US, sessions_between
from simulated_exchange.market import Market
from simulated_exchange.universe import EDGE_CLIP, EDGE_LOOKBACK, EDGE_MINUTES, LISTINGS, PLANTED_EDGE
from simulated_exchange.weather import MINUTES

START, END = datetime(2023, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def bars(symbol: str, start: datetime = START, end: datetime = END, seed: int = 7) -> pl.DataFrame:
    return Market(seed).bars(symbol, start, end)


def whole_days(symbol: str, column: str) -> np.ndarray:
    """Return a column of the full sessions, shape (days, 390)."""
    frame = bars(symbol).with_columns(day=pl.col("ts").dt.date())
    frame = frame.filter(pl.len().over("day") == MINUTES)
    return frame[column].to_numpy().reshape(-1, MINUTES)


@pytest.mark.parametrize("symbol", LISTINGS)
def test_a_bar_does_not_depend_on_what_was_asked(symbol):
    whole = bars(symbol)
    begin, end = datetime(2024, 12, 30, 15, 7, tzinfo=UTC), datetime(2025, 1, 3, 14, 40, tzinfo=UTC)
    part = bars(symbol, begin, end)
    assert part.height > 1_000
    assert_frame_equal(part, whole.filter(pl.col("ts").is_between(begin, end, closed="left")))


def test_another_process_makes_the_same_bars_and_another_seed_makes_others():
    script = (
        "from datetime import datetime, UTC; from hashlib import sha256; from simulated_exchange.market import Market;"
        "m = Market(); m.bars('VOLX', datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC));"
        "f = m.bars('EDGE', datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC));"
        "print(sha256(f.drop('ts').write_csv().encode()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    january = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)
    assert other == sha256(bars("EDGE", *january).drop("ts").write_csv().encode()).hexdigest()
    assert not bars("EDGE", *january, seed=8)["c"].equals(bars("EDGE", *january)["c"])


@pytest.mark.parametrize("symbol", LISTINGS)
def test_bars_are_consistent_and_in_cents(symbol):
    frame = bars(symbol)
    prices = frame.select("o", "h", "l", "c").to_numpy()
    assert frame.select("o", "h", "l", "c", "vw").null_count().sum_horizontal().item() == 0
    assert np.isfinite(prices).all()
    assert (prices > 0).all()
    assert (frame["l"] <= frame.select(pl.min_horizontal("o", "c", "vw")).to_series()).all()
    assert (frame["h"] >= frame.select(pl.max_horizontal("o", "c", "vw")).to_series()).all()
    assert np.abs(prices * 100 - np.round(prices * 100)).max() < 1e-6
    assert (frame["v"] >= (0 if symbol == "VOLX" else 1)).all()


def test_minutes_are_those_of_the_calendar_and_only_the_thin_symbol_misses_some():
    expected = sessions_between(*(int(at.timestamp()) * 1_000_000 for at in (START, END))).expected_minutes()
    for symbol in LISTINGS:
        stamps = bars(symbol)["ts"].to_physical().to_numpy()
        assert (stamps % MINUTE_US == 0).all()
        if symbol == "CALM":
            assert np.isin(stamps, expected).all()
            assert 1 - len(stamps) / len(expected) == pytest.approx(0.12, abs=0.01)
        else:
            assert np.array_equal(stamps, expected)
    assert bars("EDGE", datetime(2024, 11, 29, tzinfo=UTC), datetime(2024, 11, 30, tzinfo=UTC)).height == 210
    assert bars("EDGE", datetime(2024, 12, 25, tzinfo=UTC), datetime(2024, 12, 26, tzinfo=UTC)).is_empty()


def test_a_year_follows_on_the_year_before():
    close = bars("QMKT", datetime(2023, 12, 29, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC))["c"].to_numpy()
    assert np.abs(np.diff(np.log(close))).max() < 0.05


def edge_statistic(symbol: str) -> tuple[float, float]:
    """Return the least-squares size of the planted edge in a symbol and its t-statistic.

    Regression of the next minute's return, over its volatility, on clip(-x): by the definition in universe.py, but
    with volatilities estimated from the bars, as anybody could.
    """
    close, opening = np.log(whole_days(symbol, "c")), np.log(whole_days(symbol, "o"))
    returns = np.diff(close, axis=1, prepend=opening[:, :1])
    shape = np.sqrt(np.mean(returns**2, axis=0))
    sigma = np.sqrt(np.mean((returns / shape) ** 2, axis=1, keepdims=True)) * shape
    summed, variance = (np.cumsum(np.pad(a, ((0, 0), (1, 0))), axis=1) for a in (returns, sigma**2))
    minute = np.arange(EDGE_LOOKBACK, EDGE_MINUTES)
    x = (summed[:, minute] - summed[:, minute - EDGE_LOOKBACK]) / np.sqrt(
        variance[:, minute] - variance[:, minute - EDGE_LOOKBACK]
    )
    regressor, answer = np.clip(-x, -EDGE_CLIP, EDGE_CLIP), returns[:, minute] / sigma[:, minute]
    by_day = (regressor * answer).sum(axis=1) / (regressor**2).sum() * len(answer)
    return float(by_day.mean()), float(by_day.mean() / by_day.std(ddof=1) * np.sqrt(len(by_day)))


def test_the_planted_edge_is_there_in_its_stated_size():
    size, t = edge_statistic("EDGE")
    assert size == pytest.approx(PLANTED_EDGE, rel=0.15)
    assert t > 15


@pytest.mark.parametrize("symbol", ["FLAT", "QMKT"])
def test_there_is_no_edge_elsewhere(symbol):
    _, t = edge_statistic(symbol)
    assert abs(t) < 3


def test_the_next_open_still_has_the_edge_in_front_of_it():
    """Bought at the open of the next minute instead of at this close, most of the minute's edge is left."""
    close, opening = np.log(whole_days("EDGE", "c")), np.log(whole_days("EDGE", "o"))
    minute = np.arange(EDGE_LOOKBACK + 1, EDGE_MINUTES)
    fallen = close[:, minute - 1] < close[:, minute - EDGE_LOOKBACK - 1]
    from_close, from_open = (close[:, minute] - before for before in (close[:, minute - 1], opening[:, minute]))
    kept = from_open[fallen].mean() / from_close[fallen].mean()
    assert from_close[fallen].mean() > 0
    assert 0.8 < kept < 1.2


def test_volatility_smiles_volume_follows_moves_and_the_index_falls_with_rises():
    market, index = (np.diff(np.log(whole_days(symbol, "c")), axis=1) for symbol in ("QMKT", "VOLX"))
    by_minute = market.std(axis=0)
    assert by_minute[:15].mean() > 1.4 * by_minute[150:240].mean() < by_minute[-15:].mean()
    moves, volume = np.abs(market), whole_days("QMKT", "v")[:, 1:]
    assert np.corrcoef(moves.ravel(), np.log(volume).ravel())[0, 1] > 0.3
    assert np.corrcoef(market.ravel(), index.ravel())[0, 1] < -0.4
    edge = np.diff(np.log(whole_days("EDGE", "c")), axis=1)
    assert np.corrcoef(market.ravel(), edge.ravel())[0, 1] > 0.3
    excess = ((market / market.std()) ** 4).mean() - 3
    assert excess > 3  # heavy tails
    level = whole_days("VOLX", "c")
    assert (level.min() > 5, level.max() < 90) == (True, True)


def test_nothing_is_listed_under_an_unknown_name():
    assert bars("NOPE").is_empty()
    assert bars("EDGE", datetime(2010, 1, 1, tzinfo=UTC), datetime(2011, 1, 1, tzinfo=UTC)).is_empty()
