"""The fault run: everything that can go wrong between an exchange and the lake at once, and the truth at the end.

Requests are counted: what was stored is not fetched again, and a page that failed is asked for again by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from shared.testing.waiting import eventually
from simulated_exchange.market import Market

FAULTS = {
    "fail_every": 7,
    "storm_every": 11,
    "storm_length": 2,
    "drop_every": 5,
    "duplicate_every": 6,
    "shuffle_every": 3,
    "revise_every": 4,
}


def truth(symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
    bars = Market().bars(symbol, start, end)
    return bars.select("ts", open="o", high="h", low="l", close="c", volume=pl.col("v").cast(pl.Float64))


def stored(house, symbol: str) -> pl.DataFrame:
    answer = house.http.get(f"/bars/{symbol}", params={"format": "parquet", "limit": 5_000_000})
    assert answer.is_success, answer.text
    return pl.read_parquet(answer.content)


def months_of(rows: pl.DataFrame, page: int) -> int:
    """Return how many pages the bars need, month by month."""
    counts = rows.group_by(pl.col("ts").dt.strftime("%Y-%m")).len()["len"]
    return sum(-(-count // page) for count in counts)


def most_pages(needed: int, counts: list[dict], *, kills: int, page_kills: int) -> int:
    """Return how many pages may be sent at most.

    Those needed, a second one for each that broke off or was sent twice, for each kill the pages of the month at hand.
    """
    again = sum(count["spoiled"].get("drop", 0) + count["spoiled"].get("duplicate", 0) for count in counts)
    return needed + again + kills * page_kills


def run(house, exchange, symbols: list[str], end: datetime, *, page: int, kills: int) -> list[dict]:
    """Ingest all symbols through faults, killing the worker and the exchange in turn; return each exchange's counts."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    worker = house.start_worker()
    span = {"start": start.isoformat(), "end": end.isoformat()}
    jobs = [job["job_id"] for job in house.post("/ingest", symbols=symbols, **span)["jobs"]]
    counts: list[dict] = []
    for kill in range(kills):
        seen = exchange.health()["pages"]
        eventually(lambda seen=seen: exchange.health()["pages"] >= seen + 4, timeout=60, what="four more pages")
        if kill % 2 == 0:
            worker.kill()
            worker.wait()
            worker = house.start_worker()
        else:
            counts.append(exchange.health())
            exchange.kill()
            exchange.start()
    for job_id in jobs:
        house.done(job_id, timeout=300)
    counts.append(exchange.health())
    needed = 0
    for symbol in symbols:
        expected = truth(symbol, start, end)
        assert_frame_equal(stored(house, symbol).drop("symbol", "source"), expected)
        needed += months_of(expected, page)
    sent = sum(count["pages"] for count in counts)
    pages_of_a_month = -(-23 * 390 // page)
    # a page that was on its way when the exchange died was counted by nobody
    assert needed - kills <= sent <= most_pages(needed, counts, kills=kills, page_kills=pages_of_a_month + 2)
    return counts


def test_the_truth_comes_through_everything_at_once(start_mortal_exchange, open_house):
    exchange = start_mortal_exchange(page_limit=2_000, slow_page_seconds=0.05, **FAULTS)
    house = open_house(exchange.url)
    counts = run(house, exchange, ["EDGE"], datetime(2024, 4, 1, tzinfo=UTC), page=2_000, kills=2)
    struck = {kind for count in counts for kind in count["spoiled"]}
    assert struck == {"drop", "duplicate", "shuffle", "revise"}, "a fault never struck"
    assert sum(count["requests"] for count in counts) > sum(count["pages"] for count in counts), "no storm struck"

    asked = exchange.requests()
    again = house.ingest("EDGE", "2024-01-01", "2024-04-01")
    assert (again["reused"], exchange.requests()) == (True, asked)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_truth_comes_through_everything_for_years(start_mortal_exchange, open_house):
    exchange = start_mortal_exchange(page_limit=1_000, slow_page_seconds=0.02, **FAULTS)
    house = open_house(exchange.url)
    run(
        house, exchange, ["EDGE", "FLAT", "CALM", "QMKT", "VOLX"], datetime(2025, 1, 1, tzinfo=UTC), page=1_000, kills=8
    )
