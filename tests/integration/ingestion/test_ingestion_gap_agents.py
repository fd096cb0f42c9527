"""The gap filler asks providers for what files had no sound row of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from shared.clock import SystemClock
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


def test_gaps_are_not_filled_from_bars_of_another_level(start_exchange, open_shop, tmp_path, day):
    """What a file has adjusted for a dividend is not joined to what was traded."""
    adjusted = day.with_columns(pl.col(name) * 0.995 for name in ("open", "high", "low", "close"))
    hole = pl.int_range(pl.len()).is_between(BAD, BAD + 4)
    adjusted.filter(~hole).write_parquet(tmp_path / "EDGE.parquet")
    shop = open_shop(start_exchange().url)
    shop.http.post("/import", json={"path": str(tmp_path / "EDGE.parquet")})
    shop.work("ingestion.import")
    job = shop.http.post("/backfill/EDGE").json()["job_id"]
    shop.work("ingestion.fill")
    result = shop.http.get(f"/jobs/{job}", headers={"Accept": "application/json"}).json()["result"]
    assert (result["new_rows"], result["filled"]) == (0, 5)
    (refusal,) = result["refusals"]
    assert "simulated gives EDGE in 2024-06 at 1.0050 times what is stored of it from files" in refusal
    bars = pl.DataFrame(shop.http.get("/bars/EDGE").json()["bars"])
    assert bars["close"].to_list() == adjusted.filter(~hole)["close"].to_list()


@pytest.mark.parametrize("together", [False, True])
def test_no_fetch_puts_bars_of_another_level_into_a_file_unless_it_is_to(
    start_exchange, open_house, tmp_path, day, together
):
    adjusted = day.with_columns(pl.col(name) * 0.995 for name in ("open", "high", "low", "close"))
    adjusted.write_parquet(tmp_path / "EDGE.parquet")
    house = open_house(start_exchange().url)
    assert house.done(house.post("/import", path=str(tmp_path / "EDGE.parquet"))["job_id"])["replaced"] == 0
    part = {"start": day["ts"][50].isoformat(), "end": day["ts"][80].isoformat()}
    body = {**part, "symbols": ["EDGE", "CALM"], "together": True} if together else {**part, "symbols": ["EDGE"]}

    def fetch(**more: object) -> dict:
        answer = house.post("/ingest", **body, **more)
        return house.ended(answer["jobs"][0]["job_id"])

    def closes() -> list[float]:
        return pl.DataFrame(house.http.get("/bars/EDGE").json()["bars"])["close"].to_list()

    job = fetch()
    why = job["result"]["failed"]["EDGE"] if together else job["error"]
    assert "simulated gives EDGE in 2024-06 at 1.0050 times what is stored of it from files" in why
    assert closes() == adjusted["close"].to_list()
    assert fetch(refresh=True)["result"]["replaced"] == 30
    assert closes()[50:80] == day["close"][50:80].to_list()


def test_a_minute_without_a_trade_is_filled_without_volume(open_house, tmp_path, day):
    file = day.filter(~pl.int_range(pl.len()).is_in([BAD, BAD + 20, BAD + 21]))
    file.write_parquet(tmp_path / "EDGE.parquet")
    house = open_house(BARSMITH_PROVIDERS="massive")
    house.done(house.post("/import", path=str(tmp_path / "EDGE.parquet"))["job_id"])
    assert house.http.post("/backfill/EDGE?provider=foo").json()["detail"].startswith("provider 'foo' is not known")
    house.done(house.post("/backfill/EDGE?no_trade=true")["job_id"])
    bars = pl.DataFrame(house.http.get("/bars/EDGE", params={"filled": True}).json()["bars"])
    made = bars.filter(pl.col("source") == "filled")
    assert made["volume"].to_list() == [0.0, 0.0, 0.0]
    for column in ("open", "high", "low", "close"):
        assert made[column][0] == pytest.approx((day[column][BAD - 1] + day[column][BAD + 1]) / 2)


def test_watching_a_symbol_fetches_what_its_files_lack_and_keeps_what_they_have(start_exchange, open_shop, tmp_path):
    """The backfill is of what is missing."""
    since = SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=8)
    truth = Market().bars("EDGE", since, since + timedelta(days=5)).rename(NAMES)
    morning = truth[:200].with_columns(pl.col("volume") + 1)
    morning.write_parquet(tmp_path / "EDGE.parquet")
    shop = open_shop(start_exchange().url)
    shop.http.post("/import", json={"path": str(tmp_path / "EDGE.parquet")})
    shop.work("ingestion.import")
    shop.http.post("/watchlist", json={"symbols": ["EDGE"], "since": f"{since:%Y-%m-%d}"})
    shop.work("ingestion.ingest")
    bars = pl.DataFrame(shop.http.get("/bars/EDGE", params={"limit": truth.height}).json()["bars"])
    assert bars["source"].to_list() == ["files"] * 200 + ["simulated"] * (truth.height - 200)
    assert bars["volume"].to_list() == [*morning["volume"], *truth["volume"][200:]]
