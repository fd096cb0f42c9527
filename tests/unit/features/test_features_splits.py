"""A split is no move: rows from its day on see those before in their own shares, and rows before know nothing of it."""

from datetime import UTC, date, datetime
from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from feature_markets import bars_frame, random_bars
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_service.domain.bars import usable
from feature_service.domain.blocks import OWN, compute_block
from feature_service.domain.catalogue import FULL
from feature_service.domain.regimes import MARKET_MIXTURE
from shared.contracts.datasets import CORPORATE_ACTIONS
from shared.contracts.splits import PRICES, in_last_shares, splits_among, trading_days

JULY = datetime(2024, 7, 1, tzinfo=UTC)
FITS = {MARKET_MIXTURE.name: MARKET_MIXTURE.fitted(random_bars(60))}
#: the market runs from 2024-06-24 to 07-09: days before it, in its warm-up, at its month's edges, of a weekend, after
DAYS = [date(2024, 6, 24), date(2024, 6, 27), date(2024, 7, 1), *(date(2024, 7, day) for day in (2, 4, 6, 9, 15))]
#: powers of two, so that other shares are the same numbers to the last digit
RATIOS = [4.0, 0.125]
Told = dict[str, tuple[date, float]]


@lru_cache
def in_one_share() -> dict[str, pl.DataFrame]:
    """The market as if nothing had ever been split, by role."""
    made = {OWN: (7, 1.0, 100.0), "volatility": (8, 0.97, 17.0), "market": (9, 0.98, 400.0)}
    return {
        role: usable(bars_frame(np.random.default_rng(seed), keep=keep, price=price)).drop("symbol", "source")
        for role, (seed, keep, price) in made.items()
    }


def scaled(bars: pl.DataFrame, basis: float | pl.Expr) -> pl.DataFrame:
    return bars.with_columns(pl.col(*PRICES) / basis, pl.col("volume") * basis)


def as_traded(told: Told) -> dict[str, pl.DataFrame]:
    """The market with splits: bars from the ex-date on are of the new shares."""
    market = dict(in_one_share())
    for role, (day, ratio) in told.items():
        later = pl.Series(trading_days(market[role]["ts"]) >= day)
        market[role] = scaled(market[role], pl.when(later).then(ratio).otherwise(1.0))
    return market


def actions(told: Told) -> dict[str, pl.DataFrame]:
    rows = {
        role: {"symbol": "X", "kind": "split", "ex_date": day, "value": value} for role, (day, value) in told.items()
    }
    blank = {"factor": None, "former": None, "source": "test"}
    return {role: pl.DataFrame([row | blank], CORPORATE_ACTIONS.schema) for role, row in rows.items()}


def block(market: dict[str, pl.DataFrame], splits: dict[str, pl.DataFrame], until: datetime | None = None):
    if until is not None:
        market = {role: frame.filter(pl.col("ts") <= until) for role, frame in market.items()}
    own, context = market[OWN], {role: frame for role, frame in market.items() if role != OWN}
    before, bars = own.filter(pl.col("ts") < JULY), own.filter(pl.col("ts") >= JULY)
    return compute_block(FULL, "X", before, bars, context, FITS, splits)


@lru_cache
def always_in(shares: tuple[tuple[str, float], ...]) -> pl.DataFrame:
    """Return the block of a market whose roles have always been in such shares, and in one where none is named."""
    return block({role: scaled(frame, dict(shares).get(role, 1.0)) for role, frame in in_one_share().items()}, {})


splits_told = st.dictionaries(
    st.sampled_from([OWN, "volatility", "market"]),
    st.tuples(st.sampled_from(DAYS), st.sampled_from(RATIOS)),
    min_size=1,
)


@settings(max_examples=12, deadline=None)
@given(told=splits_told)
def test_every_row_is_what_it_would_be_had_its_own_shares_always_been(told: Told):
    found = block(as_traded(told), actions(told))
    days = pl.Series(trading_days(found["ts"]))
    expected = list[pl.DataFrame]()
    for day in days.unique().sort():
        shares = tuple((role, ratio) for role, (ex_date, ratio) in sorted(told.items()) if ex_date <= day)
        expected.append(always_in(shares).filter(days == day))
    assert found.equals(pl.concat(expected), null_equal=True)


@settings(max_examples=12, deadline=None)
@given(told=splits_told, cut=st.one_of(st.floats(0, 1), st.integers(-3, 3)))
def test_a_prefix_gives_the_same_rows_also_when_it_ends_beside_a_split(told: Told, cut: float):
    market, splits = as_traded(told), actions(told)
    whole = block(market, splits)
    day = min(ex_date for ex_date, _ in told.values())
    row = int((trading_days(whole["ts"]) < day).sum()) + cut if isinstance(cut, int) else int(cut * whole.height)
    until = whole["ts"][min(max(row, 0), whole.height - 1)]
    # whether a split that is still to come was told before or not
    known = {role: one.filter(pl.col("ex_date") <= until.date()) for role, one in splits.items()}
    for one in (splits, known):
        assert block(market, one, until).equals(whole.filter(pl.col("ts") <= until), null_equal=True)


@pytest.mark.parametrize(
    ("role", "column"),
    [(OWN, "overnight_gap"), (OWN, "regime_sma_dist"), ("volatility", "vix_z_score"), ("market", "regime_vix")],
)
def test_as_long_as_the_split_is_not_told_it_is_a_jump(role: str, column: str):
    day = date(2024, 7, 2)
    jumped, found = (block(as_traded({role: (day, 4.0)}), known) for known in ({}, actions({role: (day, 4.0)})))
    differs = jumped[column].ne_missing(found[column])
    assert differs.any()
    assert not differs.filter(pl.Series(trading_days(found["ts"]) < day)).any()


def test_bars_in_the_shares_of_their_last_day():
    bars = in_one_share()[OWN]
    days = {"first": (DAYS[0], 9.0), "among": (date(2024, 7, 2), 4.0), "after": (DAYS[-1], 2.0)}
    told = pl.concat(actions(days).values())
    assert splits_among(bars["ts"], told)["ex_date"].to_list() == [date(2024, 7, 2)]
    traded = as_traded({OWN: (date(2024, 7, 2), 4.0)})[OWN]
    assert in_last_shares(traded, told).equals(scaled(bars, 4.0))
    assert in_last_shares(bars.clear(), told).is_empty()
    assert in_last_shares(bars, told.clear()) is bars
