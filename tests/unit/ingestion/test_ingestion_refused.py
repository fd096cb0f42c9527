"""Refused rows: of which reason, when, and beside which bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from ingestion_service.domain.refused import PARTS, nearby, refused_rows

AT = datetime(2024, 6, 14, 15, tzinfo=UTC)
TS = pl.Datetime("us", "UTC")


def rows(*minutes: int | None, reason: str = "spike", symbol: str = "SPY") -> pl.DataFrame:
    stamps = [None if minute is None else AT + timedelta(minutes=minute) for minute in minutes]
    return pl.DataFrame({"ts": pl.Series(stamps, dtype=TS)}).with_columns(
        symbol=pl.lit(symbol), reason=pl.lit(reason), close=pl.lit(1.0)
    )


def test_refused_rows_are_counted_by_reason_and_by_when():
    told = refused_rows(pl.concat([rows(0, 1, None, symbol="TPL"), rows(600), rows(300, reason="stale")]))
    assert (told.first, told.last) == (AT, AT + timedelta(minutes=600))
    spikes, stale = told.reasons
    assert (spikes.reason, spikes.rows, spikes.symbols) == ("spike", 4, 2)
    assert [(part, count) for part, count in enumerate(spikes.parts) if count] == [(0, 2), (PARTS - 1, 1)]
    assert stale.parts.index(1) == PARTS // 2


def test_no_refused_rows_and_rows_without_a_time_are_told_too():
    assert refused_rows(rows()).reasons == []
    told = refused_rows(rows(None))
    assert (told.first, told.last, told.reasons[0].rows, sum(told.reasons[0].parts)) == (None, None, 1, 0)


def test_a_refused_row_stands_among_the_bars_beside_it():
    stored = rows(*range(-50, 0), *range(2, 50)).drop("reason")
    found = nearby(stored, rows(-300, 0, 1, None, 49), AT + timedelta(seconds=17), each=2)
    said = [((row["ts"] - AT) / timedelta(minutes=1), row["reason"]) for row in found.to_dicts()]
    assert said == [(-2, None), (-1, None), (0, "spike"), (1, "spike"), (2, None), (3, None), (4, None)]


def test_a_refused_row_far_from_any_bar_stands_alone():
    found = nearby(rows().drop("reason"), rows(0, 9), AT, each=2)
    assert found["ts"].to_list() == [AT]
