"""The gap filler asks providers for what files had no sound row of."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from simulated_exchange.market import Market

NAMES = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
BAD = 100


@pytest.fixture
def day() -> pl.DataFrame:
    return Market().bars("EDGE", datetime(2024, 6, 3, tzinfo=UTC), datetime(2024, 6, 4, tzinfo=UTC)).rename(NAMES)


@pytest.mark.parametrize(("symbol", "is_known"), [("EDGE", True), ("UNHEARD", False)])
def test_a_row_refused_from_an_old_file_is_asked_of_a_provider_once(
    start_exchange, open_shop, tmp_path, day, symbol, is_known
):
    bad = pl.int_range(pl.len()) == BAD
    file = tmp_path / f"{symbol}.parquet"
    day.with_columns(close=pl.when(bad).then(-1.0).otherwise("close")).write_parquet(file)
    exchange = start_exchange()
    shop = open_shop(exchange.url)
    shop.http.post("/import", json={"path": str(file)})
    shop.work("ingestion.import")

    def gaps() -> list[tuple[int, str]]:
        return [(gap["minutes"], gap["why"]) for gap in shop.http.get(f"/gaps/{symbol}").json()["items"]]

    def fill() -> tuple[int, int]:
        before = exchange.requests()
        shop.do("fill", "start")
        shop.work("ingestion.fill_agent")
        return shop.agent("fill")["last_result"]["new_rows"], exchange.requests() - before

    assert gaps() == [(1, "refused")]
    assert fill() == (int(is_known), 1)
    assert gaps() == ([] if is_known else [(1, "refused")])
    assert fill() == (0, 0)
    bars = pl.DataFrame(shop.http.get(f"/bars/{symbol}").json()["bars"])
    given = bars.filter(pl.col("source") == "simulated")["close"].to_list()
    assert given == ([day["close"][BAD]] if is_known else [])
