"""Taking rows out of the lake: whole or not at all, without losing what others write meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from shared.clock import FixedClock
from shared.contracts.datasets import BARS_1M
from shared.errors import Conflict, InvalidInput
from shared.storage.lake import Lake

MAY, JUNE = datetime(2024, 5, 31, 19, 58, tzinfo=UTC), datetime(2024, 6, 3, 13, 30, tzinfo=UTC)


def bars(symbol: str, start: datetime, count: int) -> pl.DataFrame:
    stamps = [start + timedelta(minutes=i) for i in range(count)]
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)
    return pl.DataFrame({"symbol": symbol, "ts": stamps, **prices, "source": "test"}, schema_overrides=BARS_1M.schema)


def rows(lake: Lake) -> list[tuple[str, datetime]]:
    return lake.read(lake.snapshot(BARS_1M), ["symbol", "ts"]).rows()


def test_rows_are_taken_out_and_emptied_partitions_cease_to_be(lake: Lake, clock: FixedClock) -> None:
    lake.upsert(BARS_1M, pl.concat([bars("SPY", MAY, 2), bars("SPY", JUNE, 3), bars("QQQ", JUNE, 2)]))
    before, moment = lake.snapshot(BARS_1M), clock.now()
    clock.advance(timedelta(minutes=1))
    commit = lake.rewrite(BARS_1M, lambda old: old.filter(pl.col("ts") > JUNE), symbol="SPY")
    assert commit.changed == ("symbol=SPY/month=2024-05", "symbol=SPY/month=2024-06")
    assert (commit.rows_before, commit.rows_after) == (5, 2)
    assert rows(lake) == [
        ("QQQ", JUNE), ("QQQ", JUNE + timedelta(minutes=1)), ("SPY", JUNE + timedelta(minutes=1)),
        ("SPY", JUNE + timedelta(minutes=2)),
    ]  # fmt: skip
    assert [part.partition for part in lake.partitions(BARS_1M, symbol="SPY")] == ["symbol=SPY/month=2024-06"]
    assert lake.read(before).height == 7
    assert lake.snapshot(BARS_1M, as_of=moment) == before
    assert lake.history(BARS_1M, symbol="SPY") == [clock.now(), moment]
    assert lake.history(BARS_1M, symbol="QQQ") == [moment]
    lake.upsert(BARS_1M, bars("SPY", MAY, 1))
    assert rows(lake)[2] == ("SPY", MAY)


def test_nothing_to_take_out_changes_nothing(lake: Lake) -> None:
    lake.upsert(BARS_1M, bars("SPY", MAY, 2))
    before = lake.snapshot(BARS_1M)
    assert lake.rewrite(BARS_1M, lambda old: old, symbol="SPY").changed == ()
    assert lake.rewrite(BARS_1M, lambda old: old.clear(), symbol="NOPE").changed == ()
    assert lake.snapshot(BARS_1M) == before


def test_what_another_writer_adds_meanwhile_is_kept(lake: Lake) -> None:
    lake.upsert(BARS_1M, bars("SPY", MAY, 1))
    calls: list[int] = []

    def overtaken(old: pl.DataFrame) -> pl.DataFrame:
        calls.append(old.height)
        if len(calls) == 1:
            lake.upsert(BARS_1M, bars("SPY", MAY + timedelta(minutes=1), 1))
        return old.filter(pl.col("ts") != MAY)

    lake.rewrite(BARS_1M, overtaken, symbol="SPY")
    assert calls == [1, 2]
    assert rows(lake) == [("SPY", MAY + timedelta(minutes=1))]


def test_a_failing_precondition_takes_nothing_out(lake: Lake) -> None:
    def refuse(_conn: object) -> None:
        raise Conflict("not mine")

    lake.upsert(BARS_1M, bars("SPY", MAY, 2))
    with pytest.raises(Conflict, match="not mine"):
        lake.rewrite(BARS_1M, lambda old: old.clear(), symbol="SPY", precondition=refuse)
    assert len(rows(lake)) == 2


def test_rows_may_not_move_to_another_partition(lake: Lake) -> None:
    lake.upsert(BARS_1M, bars("SPY", MAY, 2))
    with pytest.raises(InvalidInput, match="may not move rows out of symbol=SPY/month=2024-05"):
        lake.rewrite(BARS_1M, lambda old: old.with_columns(pl.col("ts") + timedelta(days=1)), symbol="SPY")
