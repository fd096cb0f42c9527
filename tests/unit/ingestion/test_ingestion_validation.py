"""Every row is either stored or rejected with a reason."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.domain.validation import EXAMPLES, Reason, screen
from shared.contracts.datasets import BARS_1M

BEGIN = datetime(2024, 5, 1, 13, 30, tzinfo=UTC)


def raw(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")


def test_good_rows_come_out_sorted_in_the_datasets_schema():
    later, first = BEGIN + timedelta(minutes=5), BEGIN
    found = screen(raw((later, 1.0, 2.0, 1.0, 2.0, math.nan), (first, 1.0, 1.0, 1.0, 1.0, None)), "SPY", "files")
    assert found.bars.schema == BARS_1M.schema
    assert found.bars["ts"].to_list() == [first, later]
    assert found.bars["volume"].to_list() == [None, None]
    assert set(found.bars["symbol"]) == {"SPY"}
    assert (found.rows, found.rejected, found.examples) == (2, {}, [])


def test_a_row_has_the_reason_of_the_first_check_it_fails():
    found = screen(
        raw(
            (None, 1.0, 2.0, 0.5, 1.0, 1.0),
            (datetime(1970, 1, 20, tzinfo=UTC), 1.0, 2.0, 0.5, 1.0, 1.0),
            (BEGIN + timedelta(seconds=1), math.nan, 2.0, 0.5, 1.0, 1.0),
            (BEGIN, math.inf, 2.0, 0.5, 1.0, 1.0),
            (BEGIN, 0.0, 2.0, 0.0, 1.0, 1.0),
            (BEGIN, 1.0, 0.9, 0.5, 1.0, 1.0),
            (BEGIN, 1.0, 2.0, 0.5, 1.0, -1.0),
        ),
        "SPY",
        "files",
    )
    assert found.bars.is_empty()
    assert [(e["row"], e["reason"]) for e in found.examples] == [
        ("1", Reason.NO_TIME),
        ("2", Reason.NO_CALENDAR),
        ("3", Reason.OFF_MINUTE),
        ("4", Reason.NO_PRICE),
        ("5", Reason.NOT_POSITIVE),
        ("6", Reason.DISORDER),
        ("7", Reason.BAD_VOLUME),
    ]


def test_of_a_minute_given_twice_the_last_sound_row_is_stored():
    good, better = (BEGIN, 1.0, 2.0, 0.5, 1.0, 1.0), (BEGIN, 1.0, 2.0, 0.5, 1.5, 1.0)
    bad = (BEGIN, math.nan, 2.0, 0.5, 1.0, 1.0)
    found = screen(raw(good, better, bad), "SPY", "files")
    assert found.bars["close"].to_list() == [1.5]
    assert found.rejected == {Reason.DUPLICATE: 1, Reason.NO_PRICE: 1}
    assert found.why() == f"1 x {Reason.DUPLICATE}; 1 x {Reason.NO_PRICE}"


def test_examples_are_the_first_few_of_each_reason():
    rows = [(BEGIN + timedelta(minutes=i), -1.0, 2.0, 0.5, 1.0, 1.0) for i in range(10)]
    assert [e["row"] for e in screen(raw(*rows), "SPY", "files").examples] == ["1", "2", "3"][:EXAMPLES]


number = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True, width=32), st.floats(1, 3))
moment = st.one_of(st.none(), st.integers(0, 3).map(lambda i: BEGIN + timedelta(seconds=30 * i)))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(moment, number, number, number, number, number), max_size=12))
def test_rows_in_are_rows_stored_plus_rows_rejected(rows):
    found = screen(raw(*rows), "SPY", "files")
    bars = found.bars
    assert found.rows == len(rows) == bars.height + sum(found.rejected.values())
    assert bars["ts"].is_unique().all()
    assert bars.select(pl.col("open", "high", "low", "close").is_finite().all()).row(0) in [(True,) * 4]
    assert (bars["low"] > 0).all()
    assert ((bars["low"] <= bars["open"]) & (bars["close"] <= bars["high"])).all()
