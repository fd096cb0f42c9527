"""Splits told to the lake: what is built over them, and which blocks they make outdated."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from features_support import END, START, build, rows

from feature_service.domain.catalogue import FULL
from feature_service.wiring import assemble
from shared.contracts.datasets import BARS_1M, CORPORATE_ACTIONS
from shared.contracts.splits import PRICES, trading_days
from shared.testing.markets import reverting_bars

APRIL = datetime(2024, 4, 1, tzinfo=UTC)
SEEDS = {"SPY": 1, "QMKT": 3, "VOLX": 4}
#: powers of two, so that other shares are the same numbers to the last digit; that of the market is what a fit read
SPLITS = {"SPY": (date(2024, 2, 13), 8.0), "VOLX": (date(2024, 2, 6), 0.25), "QMKT": (date(2024, 1, 24), 2.0)}


@pytest.fixture
def service(settings):
    with assemble(settings) as wired:
        yield wired


def bars_of(symbol, end=END):
    return reverting_bars(symbol, START, end, seed=SEEDS[symbol])


def as_traded(symbol):
    day, ratio = SPLITS[symbol]
    bars = bars_of(symbol)
    basis = pl.when(pl.Series(trading_days(bars["ts"]) >= day)).then(ratio).otherwise(1.0)
    return bars.with_columns(pl.col(*PRICES) / basis, pl.col("volume") * basis)


def tell(service, symbol, ex_date, value=2.0, kind="split"):
    row = {"symbol": symbol, "kind": kind, "ex_date": ex_date, "value": value, "factor": None, "former": None}
    service.resources.lake.upsert(
        CORPORATE_ACTIONS, pl.DataFrame([{**row, "source": "test"}], CORPORATE_ACTIONS.schema)
    )


def months(made):
    return [block["month"] for block in made]


def test_features_over_splits_are_those_of_the_market_that_never_split(service, settings):
    lake = service.resources.lake
    for symbol in SEEDS:
        lake.upsert(BARS_1M, bars_of(symbol))
    expected = build(service, settings, "SPY", "full") and rows(service, "SPY", "full")
    for symbol in SEEDS:
        lake.upsert(BARS_1M, as_traded(symbol))
    jumped = build(service, settings, "SPY", "full") and rows(service, "SPY", "full")
    for symbol, (day, ratio) in SPLITS.items():
        tell(service, symbol, day, ratio)
    made = build(service, settings, "SPY", "full")
    assert months(made["built"]) == ["2024-01", "2024-02"]
    found = rows(service, "SPY", "full")

    day = SPLITS["SPY"][0]
    before = pl.Series(trading_days(found["ts"]) < day)
    assert found.filter(before).equals(expected.filter(before), null_equal=True)
    # from the split on prices and shares are those of their own day, all else is as ever
    later, never = found.filter(~before), expected.filter(~before)
    scales = {
        name: [scale for scale in (1.0, 8.0, 0.125) if later[name].equals(never[name] * scale, null_equal=True)]
        for name in FULL.columns
    }
    # these count from one share, or in steps of the price that are not the split's
    odd = {"volume_rel_20", "volume_change", "volume_node_dist", "volume_resistance_dist", "volume_support_dist"}
    assert {name for name, fitting in scales.items() if not fitting} == odd
    assert (scales["sma_20"], scales["obv"], scales["atr_14"]) == ([0.125], [8.0], [0.125])
    assert sum(fitting[:1] == [1.0] for fitting in scales.values()) > 80
    assert not jumped["overnight_gap"].equals(expected["overnight_gap"], null_equal=True)

    assert service.builds.replay("SPY", "full").agrees is True
    assert build(service, settings, "SPY", "full")["reused"] == 2


def test_a_split_that_becomes_known_makes_exactly_the_blocks_anew_that_read_across_it(service, settings):
    for symbol in SEEDS:
        service.resources.lake.upsert(BARS_1M, bars_of(symbol, APRIL))

    def again(name="core"):
        return build(service, settings, "SPY", name, end=APRIL)

    first = {block["month"]: block["fingerprint"] for block in [*again()["built"], *again("context")["built"]]}
    assert len(first) == 3
    for symbol, day, own, beside in (
        # the first day's bars are all of the new shares
        ("SPY", date(2024, 1, 2), [], []),
        # 5,000 bars are some thirteen sessions: those before February begin on the 11th of January
        ("SPY", date(2024, 1, 5), ["2024-01"], ["2024-01"]),
        ("SPY", date(2024, 1, 30), ["2024-01", "2024-02"], ["2024-01", "2024-02"]),
        ("SPY", date(2024, 3, 27), ["2024-03"], ["2024-03"]),
        ("VOLX", date(2024, 3, 5), [], ["2024-03"]),
        # no player of a role, and a day after the bars
        ("OTHER", date(2024, 3, 6), [], []),
        ("SPY", date(2024, 4, 10), [], []),
    ):
        tell(service, symbol, day)
        assert months(again()["built"]) == own, (symbol, day)
        assert months(again("context")["built"]) == beside, (symbol, day)
    tell(service, "SPY", date(2024, 3, 6), 0.5, "dividend")
    assert (again()["reused"], again()["confirmed"]) == (3, [])
    # taken back, the blocks have their old names again
    lake = service.resources.lake
    lake.rewrite(CORPORATE_ACTIONS, lambda told: told.clear(), symbol=["SPY", "VOLX"])
    names = {block["month"]: block["fingerprint"] for block in [*again()["built"], *again("context")["built"]]}
    assert names == first
