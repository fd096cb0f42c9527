"""The catalogue's own functions against LEAN's indicator files, to the digits the files have.

The files' prices are rounded to cents after their indicators were computed, so ratios of price differences agree to
four or five digits, averages to the last one. Those with a long memory are compared when the seed is forgotten.
"""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feature_service.domain import rolling
from feature_service.domain.bars import Bars
from feature_service.domain.catalogue import FULL

LEAN = Path(__file__).parents[4] / "shared/data/reference/A/lean_indicators"
pytestmark = pytest.mark.skipif(not LEAN.is_dir(), reason="LEAN's indicator files are not here")


def table(name: str) -> dict[str, np.ndarray]:
    with (LEAN / name).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [column for column in rows[0] if column.strip().lower() not in {"date", "time"}]
    return {
        column.strip(): np.array([float(row[column] or "nan") if row[column] != "NaN" else np.nan for row in rows])
        for column in columns
    }


def daily(columns: dict[str, np.ndarray]) -> Bars:
    """A file's days as bars; what the file lacks is the close."""
    by_name = {name.lower(): values for name, values in columns.items()}
    close, rows = by_name["close"], np.arange(len(by_name["close"]))
    prices = [by_name.get(name, close) for name in ("open", "high", "low")]
    return Bars(rows, *prices, close, by_name.get("volume", np.ones(len(close))), rows, rows, rows % 5, rows)


def ours(name: str, bars: Bars, **params: float) -> np.ndarray:
    feature = FULL.feature(name)
    return replace(feature, params={**feature.params, **params}).values(bars)


def same(found: np.ndarray, expected: np.ndarray, tolerance: float, skip: int = 0) -> None:
    rows = np.flatnonzero(~np.isnan(expected))[skip:]
    assert len(rows) > 100
    np.testing.assert_allclose(found[rows], expected[rows], rtol=0, atol=tolerance)


def test_rsi():
    file = table("spy_with_indicators.txt")
    same(ours("rsi_14", daily(file)), file["RSI 14 Wilder"], 5e-5)


def test_sma_and_ema_and_the_macd_line():
    file = table("spy_with_indicators.txt")
    bars = daily(file)
    same(ours("sma_20", bars, window=14), file["SMA14"], 0.006)
    same(ours("ema_12", bars, window=14), file["EMA14"], 0.006)
    # LEAN's slow average starts its fast one earlier than TA-Lib: they agree when the seed is forgotten
    same(ours("macd_line", bars) * bars.close, file["MACD 12 26"], 0.01, skip=150)


def test_ema_of_unrounded_numbers():
    file = table("spy_ema.csv")
    same(ours("ema_12", daily(file), window=14), file["EMA14"], 1e-9)


def test_macd_with_signal_and_histogram():
    file = table("spy_with_macd.txt")
    bars = daily(file)
    same(ours("macd_line", bars) * bars.close, file["MACD"], 1e-3, skip=10)
    same(ours("macd_signal", bars) * bars.close, file["Signal"], 1e-3, skip=10)
    same(ours("macd_hist", bars) * bars.close, file["Histogram"], 1e-3, skip=10)


def test_atr():
    file = table("spy_atr_wilder.txt")
    # the file's first value is a plain mean that begins a day earlier: it is forgotten by 13/14 a day
    same(ours("atr_14", daily(file)), file["Average True Range 14"], 5.1e-5, skip=150)


def test_bollinger_bands():
    file = table("spy_bollinger_bands.txt")
    bars = daily(file)
    same(ours("bollinger_upper", bars), file["Bollinger Bands® 20 2 Top"], 6.1e-5)
    same(ours("bollinger_lower", bars), file["Bollinger Bands® 20 2 Bottom"], 6.1e-5)
    same(100 * ours("bollinger_width", bars), file["BandWidth"], 1.2e-4)
    same(ours("bollinger_pct_b", bars), file["%B"], 1.2e-4)


def test_adx():
    file = table("spy_with_adx.txt")
    bars = daily(file)
    same(ours("adx_14", bars), file["ADX 14"], 0.02, skip=150)
    same(ours("plus_di_14", bars), file["+DI14"], 0.02, skip=150)
    same(ours("minus_di_14", bars), file["-DI14"], 0.02, skip=150)


def test_cci():
    file = table("spy_with_cci.txt")
    same(ours("cci_20", daily(file), window=14), file["Commodity Channel Index (CCI) 14"], 3e-3)


def test_slow_stochastic():
    file = table("spy_with_stoch12k3.txt")
    bars = daily(file)
    slow = ours("stochastic_d", bars, window=12, smoothing=3)
    same(slow, file["Stochastics 12 %K 3"], 4e-4)
    same(rolling.mean(slow, 5), file["%D 5"], 4e-4)


def test_williams_r():
    file = table("spy_with_williamsR14.txt")
    same(ours("williams_r_14", daily(file)), file["Williams %R 14"], 4e-4)


def test_donchian():
    file = table("spy_with_don50.txt")
    bars = daily(file)
    same(ours("donchian_upper_50", bars), file["Donchian Channels 50 Top"], 1e-9, skip=50)
    same(ours("donchian_lower_50", bars), file["Donchian Channels 50 Bottom"], 1e-9, skip=50)


def test_on_balance_volume():
    """The file has no volume: what its OBV moves by is taken for it, so direction and sum are what is compared."""
    file = table("spy_with_indicators.txt")
    known = np.flatnonzero(~np.isnan(file["OBV"]))
    first = int(known[0])
    close, expected = file["Close"][first:], file["OBV"][first:]
    volume = np.abs(np.diff(expected, prepend=expected[0]))
    same(ours("obv", daily({"Close": close, "Volume": volume})), expected - expected[0], 1e-3)
