"""Files that users bring: what is read from them, how they are named, and what is said when they are wrong."""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.backtests import Setting, Signal
from shared.errors import InvalidInput
from simulation_service.domain import signals
from simulation_service.domain.reach import why_silent
from simulation_service.domain.signals import check_unit, laid_over, read_signals

GOOD = b"ts,prediction\n2024-03-04T14:30:00Z,0.001\n2024-03-04T14:31:00Z,\n2024-03-04T15:32:00+01:00,-0.002\n"


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def test_csv_and_parquet_of_the_same_content_have_the_same_name_and_symbols_and_kinds_do_not():
    said = read_signals(GOOD)
    assert said.kind == "prediction"
    assert said.frame["value"].to_list() == [0.001, None, -0.002]
    assert said.frame["ts"].to_list() == [datetime(2024, 3, 4, 14, 30 + i, tzinfo=UTC) for i in range(3)]
    other = read_signals(parquet(said.frame.rename({"value": "prediction"}).sample(fraction=1.0, shuffle=True, seed=1)))
    assert other.fingerprint("SPY") == said.fingerprint("SPY")
    assert other.fingerprint("QQQ") != said.fingerprint("SPY")
    whole = read_signals(b"ts,prediction\n2024-03-04T14:30:00Z,1\n")
    held = read_signals(b"ts,position\n2024-03-04T14:30:00Z,1\n")
    assert whole.fingerprint("SPY") != held.fingerprint("SPY")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"time,prediction\n2024-03-04T14:30:00Z,1\n", "this file has time, prediction"),
        (b"ts,prediction,position\n2024-03-04T14:30:00Z,1,1\n", "either prediction or position"),
        (b"ts,prediction\n", "no rows"),
        (b"ts,prediction\n2024-03-04 14:30,1\n", "row 1: ts '2024-03-04 14:30' is not a time with a zone"),
        (b"ts,prediction\n2024-03-04T14:30:00,1\n", "not a time with a zone"),
        (b"ts,prediction\n2024-03-04T14:30:00Z,high\n", "row 1: prediction 'high' is not a number"),
        (
            b"ts,prediction\n2024-03-04T14:30:00Z,0\n2024-03-04T14:31:00Z,inf\n",
            "row 2: prediction inf must be a finite",
        ),
        (b"ts,position\n2024-03-04T14:30:00Z,0.5\n", "row 1: position 0.5 must be -1, 0 or 1"),
        (b"ts,position\n2024-03-04T14:30:00Z,\n", "row 1: position None must be -1, 0 or 1"),
        (b"ts,prediction\n2024-03-04T14:30:00Z,1\n2024-03-04T14:30:00Z,2\n", "1 times occur more than once"),
        (b"ts,prediction\n,1\n", "row 1"),
        (b"PAR1 and then nothing of the kind", "neither CSV nor Parquet"),
        (b"\xff\xfe\x00\x01", "this file has ..."),
    ],
)
def test_what_is_wrong_is_said(content, told):
    with pytest.raises(InvalidInput, match=told):
        read_signals(content)


def test_parquet_without_a_zone_and_too_many_rows_are_refused(monkeypatch):
    frame = pl.DataFrame({"ts": [datetime(2024, 3, 4, 14, 30)], "prediction": [1.0]})  # noqa: DTZ001 - it must have none
    with pytest.raises(InvalidInput, match="ts has no time zone"):
        read_signals(parquet(frame))
    with pytest.raises(InvalidInput, match="ts is Int32"):
        read_signals(parquet(frame.with_columns(ts=pl.lit(5))))
    monkeypatch.setattr(signals, "MAX_ROWS", 2)
    with pytest.raises(InvalidInput, match="3 rows, at most 2"):
        read_signals(GOOD)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_whatever_are_answered_by_anything_but_words(content):
    for start in (b"", b"PAR1", b"ts,prediction\n"):
        with suppress(InvalidInput):
            assert read_signals(start + content).frame.height > 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=30, unique=True), st.integers(0, 2**31))
def test_positions_stand_until_the_next_row_and_predictions_do_not(minutes, seed):
    start = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
    rng = np.random.default_rng(seed)
    said = {minute: int(rng.integers(-1, 2)) for minute in sorted(minutes)}
    lines = "".join(f"{(start + timedelta(minutes=m)).isoformat()},{v}\n" for m, v in said.items())
    bars = np.arange(70) * 60_000_000 + int(start.timestamp() * 1e6)
    for kind in ("position", "prediction"):
        found = read_signals(f"ts,{kind}\n{lines}".encode())
        value = found.frame["value"].to_numpy()
        laid = laid_over(found.kind, found.frame["ts"].to_physical().to_numpy(), value, bars)
        for minute in range(70):
            before = [m for m in said if m <= minute]
            stands = bool(before) and minute <= max(said) if kind == "position" else minute in said
            assert laid[minute] == said[max(before)] if stands else np.isnan(laid[minute])


CLOSE = np.array([100.0, 101.0, 102.0, 103.0])
SERIES = {
    Signal.LOG_RETURN: np.array([0.001, -0.002, np.nan, 0.003]),
    Signal.PERCENT: np.array([0.1, -0.2, np.nan, 0.3]),
    Signal.PRICE: np.array([100.5, np.nan, 101.0, 104.0]),
    Signal.PROBABILITY: np.array([0.0, 0.4, np.nan, 1.0]),
    Signal.POSITION: np.array([1.0, -1.0, np.nan, 0.0]),
}


@pytest.mark.parametrize(("signal", "said"), SERIES.items())
def test_a_series_in_the_unit_it_is_read_in_passes(signal, said):
    check_unit(signal, said, CLOSE)
    check_unit(signal, np.full(4, np.nan), CLOSE)


@pytest.mark.parametrize(
    ("read_as", "meant"),
    [
        (Signal.LOG_RETURN, Signal.PRICE),
        (Signal.PROBABILITY, Signal.PRICE),
        (Signal.PROBABILITY, Signal.LOG_RETURN),
        (Signal.POSITION, Signal.LOG_RETURN),
        (Signal.PRICE, Signal.LOG_RETURN),
        (Signal.PRICE, Signal.PROBABILITY),
    ],
)
def test_a_series_in_another_unit_is_refused_rather_than_traded_always_or_never(read_as, meant):
    with pytest.raises(InvalidInput, match=f"not read as {read_as}"):
        check_unit(read_as, SERIES[meant], CLOSE)


@pytest.mark.parametrize(
    ("chosen", "span", "silent"),
    [
        ({"threshold": 0.05}, (-0.001, 0.0012), True),
        ({"threshold": 0.001}, (-0.001, 0.0012), False),
        ({"threshold": 0.001, "side": "short_flat"}, (-0.001, 0.0012), True),
        ({"threshold": 0.0005, "side": "short_flat"}, (-0.001, 0.0012), False),
        ({"threshold": 0.05, "volatility_scaled": True}, (-0.001, 0.0012), False),
        ({"threshold": 0.6, "signal": "probability", "side": "long_short"}, (0.41, 0.6), True),
        ({"threshold": 0.6, "signal": "probability", "side": "long_short"}, (0.39, 0.6), False),
        ({"threshold": 0.0}, (None, None), True),
    ],
)
def test_a_threshold_that_no_signal_passes_is_told(chosen, span, silent):
    setting = Setting(**chosen)
    assert bool(why_silent([setting], {setting.signal.value: span})) is silent
    passed = Setting(
        **{**chosen, "threshold": 0.0 if setting.signal is Signal.LOG_RETURN else 0.5, "side": "long_short"}
    )
    if span[0] is not None:
        assert why_silent([setting, passed], {setting.signal.value: span}) == "", "one that can trade is enough"
    assert why_silent([setting], {}) == "", "older code kept no ranges"
