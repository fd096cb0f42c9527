"""Symbols with a chain of providers of their own, through the real clients."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from wire_servers import Wire, alpaca_crypto, massive, yahoo

from shared.clock import SystemClock
from shared.testing.servers import serving
from simulated_exchange.market import Market


def test_a_symbol_with_a_chain_of_its_own_is_asked_of_that_by_every_job_and_agent(open_house):
    now = SystemClock().now
    end = now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    start = end - timedelta(days=6)
    bars = Market().bars("QMKT", start, end)
    truth = bars.select("ts", open="o", high="h", low="l", close="c", volume=pl.col("v").cast(pl.Float64))
    index = truth.with_columns(volume=pl.lit(None, dtype=pl.Float64))
    paid = Wire({"I:VIX": index.filter(pl.col("ts").dt.minute() != 7)})
    free = Wire({"QMKT": truth, "^VIX": index, "COIN-USD": truth})
    with (
        serving(alpaca_crypto(Wire({"COIN/USD": truth}))) as coins_http,
        serving(massive(paid)) as massive_http,
        serving(yahoo(free, now)) as yahoo_http,
    ):
        house = open_house(
            str(coins_http.base_url),
            MASSIVE_API_KEY="the-key",
            MASSIVE_API_BASE_URL=str(massive_http.base_url),
            YAHOO_BASE_URL=str(yahoo_http.base_url),
            BARSMITH_PROVIDERS="yahoo",
            BARSMITH_PROVIDERS_OF="VIX=massive; COIN/USD=simulated",
        )
        symbols, span = ["QMKT", "VIX", "COINUSD"], {"start": start.isoformat(), "end": end.isoformat()}
        together = house.post("/ingest", symbols=symbols, together=True, **span)["jobs"]
        assert house.done(together[0]["job_id"])["stored"] > 2 * truth.height
        watched = house.post("/watchlist", symbols=symbols, since=str(start.date()))
        for job in watched["jobs"]:
            house.done(job["job_id"])
        house.post("/agents/backfill/start")
        house.work()
        assert house.http.get("/agents/backfill").json()["runs"] == 1
        again = house.done(house.http.post("/backfill/VIX").json()["job_id"])
        assert again["gap_minutes"] > 0  # massive was asked once more, and has them not
        days = {"start": str(start.date()), "end": str(end.date())}
        assert set(house.done(house.post("/actions/VIX/fetch", **days)["job_id"])["providers"]) == {"massive"}
        for symbol, chain in (("QMKT", "yahoo"), ("VIX", "massive"), ("COINUSD", "simulated")):
            asks = house.http.get(f"/asks/{symbol}").json()
            assert asks["chain"] == [chain]
            assert {answer["provider"] for answer in asks["answered"]} == {chain}
        assert [asked for asked in free.asked if "VIX" in asked or "COIN" in asked] == []
        providers = {row["provider"]: row for row in house.http.get("/providers").json()}
        assert (providers["massive"]["in_chain"], providers["massive"]["own_chain_of"]) == (False, ["VIX"])
        assert "COINUSD from simulated; VIX from massive" in house.http.get("/", headers={"Accept": "text/html"}).text
