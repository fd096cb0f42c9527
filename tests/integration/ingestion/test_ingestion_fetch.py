"""Fetching through the real alpaca-py client from a real exchange process into a real lake."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
from polars.testing import assert_frame_equal

from simulated_exchange.market import FIRST_YEAR, Market


def stored(house, symbol: str) -> pl.DataFrame:
    answer = house.http.get(f"/bars/{symbol}", params={"format": "parquet", "limit": 5_000_000})
    assert answer.is_success, answer.text
    return pl.read_parquet(answer.content)


def truth(symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
    bars = Market().bars(symbol, start, end)
    return bars.select("ts", open="o", high="h", low="l", close="c", volume=pl.col("v").cast(pl.Float64))


def assert_true(house, symbol: str, start: datetime, end: datetime) -> None:
    assert_frame_equal(stored(house, symbol).drop("symbol", "source"), truth(symbol, start, end))


def test_many_pages_become_the_exchanges_bars_bit_for_bit(start_exchange, open_house):
    exchange = start_exchange(page_limit=1_000)
    house = open_house(exchange.url)

    result = house.ingest("edge", "2024-01-01", "2024-03-01")

    assert_true(house, "EDGE", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
    assert (result["months"], result["rejected"]) == (2, {})
    assert result["rows"] == result["stored"] == result["new_rows"] == stored(house, "EDGE").height
    assert set(stored(house, "EDGE")["source"]) == {"simulated"}


def test_what_was_fetched_is_not_asked_for_again(start_exchange, open_house):
    exchange = start_exchange()
    house = open_house(exchange.url)
    first = house.ingest("FLAT", "2024-02-10", "2024-04-10")
    asked = exchange.requests()

    again = house.ingest("FLAT", "2024-03-01", "2024-04-01")
    assert (again["reused"], exchange.requests()) == (True, asked)

    wider = house.ingest("FLAT", "2024-01-15", "2024-04-20")
    assert wider["months"] == 3  # the ends of January, February and April
    assert exchange.requests() == asked + 3
    assert_true(house, "FLAT", datetime(2024, 1, 15, tzinfo=UTC), datetime(2024, 4, 20, tzinfo=UTC))

    fresh = house.ingest("FLAT", "2024-03-01", "2024-04-01", refresh=True)
    assert (fresh["reused"], fresh["new_rows"], first["months"]) == (False, 0, 3)
    assert exchange.requests() == asked + 4


def test_storms_of_429_and_errors_of_the_server_only_delay(start_exchange, open_house):
    exchange = start_exchange(page_limit=2_000, storm_every=5, storm_length=2, fail_every=4)
    house = open_house(exchange.url)
    result = house.ingest("QMKT", "2024-01-01", "2024-03-01")
    assert_true(house, "QMKT", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
    assert exchange.requests() > result["rows"] // 2_000 + 3


def test_a_small_rate_limit_is_waited_out(start_exchange, open_house):
    exchange = start_exchange(page_limit=1_000, rate_limit=3, rate_window_seconds=1)
    house = open_house(exchange.url)
    house.ingest("EDGE", "2024-01-01", "2024-02-01")
    assert_true(house, "EDGE", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))


def test_an_exchange_killed_midway_and_restarted_costs_nothing_but_time(start_mortal_exchange, open_house, waited):
    exchange = start_mortal_exchange(slow_page_seconds=0.3)
    house = open_house(exchange.url, worker=True)
    job_id = house.post("/ingest/EDGE", start="2024-01-01", end="2024-07-01")["job_id"]
    waited(lambda: len(house.http.get("/symbols").json()) == 1, "the first month")

    exchange.kill()
    exchange.start()

    result = house.done(job_id)
    assert_true(house, "EDGE", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))
    # the second process was asked only for what the first had not answered, also where it took too long to come back
    waited_for_it = house.job(job_id)["attempt"] == 1
    assert result["months"] == 6 if waited_for_it else 0 < result["months"] < 6
    assert exchange.requests() < 6


def test_a_worker_killed_midway_goes_on_where_it_was(start_exchange, open_house, waited):
    exchange = start_exchange(slow_page_seconds=0.3)
    house = open_house(exchange.url)
    worker = house.start_worker()
    job_id = house.post("/ingest/EDGE", start="2024-01-01", end="2024-07-01")["job_id"]
    waited(lambda: len(house.http.get("/symbols").json()) == 1, "the first month")
    worker.kill()
    worker.wait()

    house.start_worker()
    result = house.done(job_id, timeout=90)
    assert_true(house, "EDGE", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))
    assert result["months"] < 6
    # what was stored is not asked for again; a kill costs the answer in hand, and the one asked for meanwhile
    assert exchange.requests() <= 6 + 2


def test_wrong_credentials_stop_at_once(start_exchange, open_house):
    exchange = start_exchange()
    house = open_house(exchange.url, key="somebody-else")
    job = house.ended(house.post("/ingest/EDGE", start="2024-01-01", end="2024-03-01")["job_id"])
    assert (job["state"], job["attempt"]) == ("FAILED", 1)
    assert "403" in job["error"]
    assert "ALPACA_KEY_ID" in job["error"]
    assert exchange.requests() == 0  # refused at the door, and not knocked at again


def test_an_unknown_symbol_fails_and_stores_nothing(start_exchange, open_house):
    house = open_house(start_exchange().url)
    job = house.ended(house.post("/ingest/NOPE", start="2024-01-01", end="2024-02-01")["job_id"])
    assert (job["state"], job["attempt"]) == ("FAILED", 1)
    assert "has no bars of NOPE" in job["error"]
    assert house.http.get("/symbols").json() == []


def test_several_symbols_are_several_jobs_and_half_days_are_half(start_exchange, open_house):
    house = open_house(start_exchange().url)
    jobs = house.post("/ingest", symbols=["EDGE", "CALM", "VOLX"], start="2024-11-25", end="2024-12-01")["jobs"]
    assert [job["symbol"] for job in jobs] == ["EDGE", "CALM", "VOLX"]
    for job in jobs:
        house.done(job["job_id"])
    by_symbol = {row["symbol"]: row for row in house.http.get("/coverage").json()["items"]}
    edge, calm = by_symbol["EDGE"], by_symbol["CALM"]
    assert (edge["rows"], edge["sessions"], edge["missing_minutes"]) == (3 * 390 + 210, 4, 0)
    assert 0.05 < calm["missing_minutes"] / edge["rows"] < 0.2
    assert stored(house, "VOLX")["volume"].max() == 0


def test_many_symbols_together_are_one_job_few_requests_and_the_same_bars(start_exchange, open_house):
    exchange = start_exchange()
    house = open_house(exchange.url)
    start, middle, end = (datetime(2024, 6, day, tzinfo=UTC) for day in (3, 6, 8))
    house.ingest("CALM", "2024-06-03", "2024-06-06")
    asked = exchange.requests()

    def together(symbols, begin, until, **more):
        span = {"start": begin.isoformat(), "end": until.isoformat()}
        jobs = house.post("/ingest", symbols=symbols, together=True, **span, **more)["jobs"]
        assert len({job["job_id"] for job in jobs}) == 1
        return house.done(jobs[0]["job_id"])

    first = together(["EDGE", "CALM", "FLAT", "QMKT"], start, middle)
    assert exchange.requests() == asked + 1  # CALM was there
    assert first["stored"] == first["new_rows"] == 3 * 3 * 390
    for symbol in ("EDGE", "CALM", "FLAT", "QMKT"):
        assert_true(house, symbol, start, middle)

    more = together(["EDGE", "CALM", "FLAT", "NOPE"], start, end)
    for symbol in ("EDGE", "CALM", "FLAT"):
        assert_true(house, symbol, start, end)
    assert list(more["failed"]) == ["NOPE"]
    assert "no bars of NOPE" in more["failed"]["NOPE"]
    again = exchange.requests()
    together(["EDGE", "CALM", "FLAT"], start, end)
    assert exchange.requests() == again
    assert together(["EDGE", "CALM"], start, end, refresh=True)["new_rows"] == 0
    assert exchange.requests() == again + 1


def test_months_before_the_first_bar_are_no_failure_of_symbols_asked_for_together(start_exchange, open_house):
    house = open_house(start_exchange().url)
    listed, end = (datetime(FIRST_YEAR, 1, day, tzinfo=UTC) for day in (1, 6))
    asked = {"start": f"{FIRST_YEAR - 1}-12-30T00:00:00Z", "end": end.isoformat(), "together": True}
    done = house.done(house.post("/ingest", symbols=["EDGE", "FLAT", "NOPE"], **asked)["jobs"][0]["job_id"])
    assert (list(done["failed"]), done["symbols"]) == (["NOPE"], 3)
    for symbol in ("EDGE", "FLAT"):
        assert_true(house, symbol, listed, end)
    nobody = house.post("/ingest", symbols=["NOPE", "NADA"], **asked)["jobs"][0]["job_id"]
    assert "nobody has bars of any of the 2 symbols" in house.ended(nobody)["error"]


def test_a_provider_that_does_not_know_a_symbol_is_told_also_where_other_bars_of_it_are(
    start_exchange, open_house, tmp_path
):
    house = open_house(start_exchange().url)
    rows = Market().bars("EDGE", datetime(2024, 6, 3, tzinfo=UTC), datetime(2024, 6, 5, tzinfo=UTC))
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    rows.rename(names).with_columns(symbol=pl.lit("MINE")).write_parquet(tmp_path / "MINE.parquet")
    house.done(house.post("/import", path=str(tmp_path / "MINE.parquet"))["job_id"])

    def ended(symbol, start, end):
        return house.ended(house.post(f"/ingest/{symbol}", start=start, end=end)["job_id"])

    for _ in range(2):  # also when it was asked before
        unknown = ended("MINE", "2024-05-01", "2024-05-11")
        assert (unknown["state"], "no bars of MINE from 2024-05-01 to 2024-05-11" in unknown["error"]) == (
            "FAILED",
            True,
        )
    assert ended("MINE", "2024-05-04", "2024-05-06")["state"] == "COMPLETED", "a weekend"
    house.ingest("EDGE", "2024-06-03", "2024-06-05")
    before = ended("EDGE", f"{FIRST_YEAR - 1}-05-01", f"{FIRST_YEAR - 1}-05-03")
    assert (before["state"], before["result"]["stored"]) == ("COMPLETED", 0), "who knows a symbol knows what it lacks"
