"""The live updater against the exchange's stream: a past day played fast, cut connections, a killed worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import polars as pl
import pytest

from shared.clock import SystemClock
from shared.testing.servers import serving
from shared.testing.waiting import eventually
from simulated_exchange.app import create_app
from simulated_exchange.market import Market
from simulated_exchange.replay import ReplayMarket
from simulated_exchange.settings import ExchangeSettings
from simulated_exchange.timeline import Timeline

#: the half day before Independence Day: 210 minutes
BEGINS, ENDS = datetime(2024, 7, 3, 13, 25, tzinfo=UTC), datetime(2024, 7, 3, 17, 0, tzinfo=UTC)
SYMBOLS = ("CALM", "EDGE")
OPTIONS = {"minutes_before": 10, "minutes_after": 5, "alert_minutes": 30, "store_seconds": 0.3}


@dataclass
class Played:
    """The exchange, and its time, which stands still until the test lets it run."""

    http: httpx.Client
    timeline: Timeline
    speed: float

    @property
    def url(self) -> str:
        return str(self.http.base_url)

    @property
    def streams(self) -> int:
        return self.http.get("/healthz").json()["streams"]

    def hold(self) -> None:
        self._set(self.timeline.now(), 0.0)

    def run(self) -> None:
        self._set(self.timeline.now(), self.speed)

    def _set(self, begins: datetime, speed: float) -> None:
        later = Timeline.replay(SystemClock(), begins, speed)
        for name in ("begins", "since", "speed"):
            object.__setattr__(self.timeline, name, getattr(later, name))


@contextmanager
def played(speed: float, **faults: float) -> Iterator[Played]:
    market = Market()
    bars = {symbol: market.bars(symbol, BEGINS, ENDS) for symbol in SYMBOLS}
    timeline = Timeline.replay(SystemClock(), BEGINS, 0.0)
    with serving(create_app(ExchangeSettings.model_validate(faults), ReplayMarket(bars, timeline))) as http:
        yield Played(http, timeline, speed)


def truth(symbol: str) -> list[tuple[object, ...]]:
    bars = Market().bars(symbol, BEGINS, ENDS)
    return bars.select("ts", *(pl.col(name).cast(pl.Float64) for name in "ohlcv")).rows()


def stored(house, symbol: str) -> list[tuple[object, ...]]:
    answer = house.http.get(f"/bars/{symbol}", params={"limit": 10_000})
    if answer.status_code == 404:
        return []
    rows = pl.DataFrame(answer.json()["bars"]).with_columns(pl.col("ts").str.to_datetime(time_zone="UTC"))
    return rows.select("ts", "open", "high", "low", "close", "volume").cast({"volume": pl.Float64}).rows()


def agent(house, name: str = "live") -> dict:
    return house.http.get(f"/agents/{name}").json()


def listen(house, exchange: Played, symbols: tuple[str, ...] = SYMBOLS, **options: float) -> None:
    """Watch symbols, start the updater, and let time run as soon as it listens."""
    house.post("/watchlist", symbols=list(symbols), since="2024-07-02")
    house.post("/agents/live/start", options={**OPTIONS, **options})
    eventually(lambda: exchange.streams > 0, timeout=60, what="a listener")
    exchange.run()


@pytest.mark.parametrize("kill", [False, True], ids=["cut", "cut and killed"])
def test_a_cut_stream_and_a_killed_worker_leave_the_truth(open_house, kill):
    with played(speed=2400, stream_cut_seconds=1.5, stream_revise_every=5) as exchange:
        house = open_house(exchange.url)
        listen(house, exchange)
        if kill:
            eventually(lambda: len(stored(house, "EDGE")) > 20, timeout=30, what="some bars")
            house.workers[0].kill()
            house.workers[0].wait()
            exchange.hold()
            assert len(stored(house, "EDGE")) < len(truth("EDGE"))
            before = exchange.streams
            house.start_worker()
            eventually(lambda: exchange.streams > before, timeout=60, what="a listener again")
            exchange.run()
        eventually(lambda: agent(house)["runs"] > 0, timeout=60, what="the end of the window")
        result = agent(house)["last_result"]
        assert result["received"] > 0
        assert result["drops"] >= (0 if kill else 2)
        for symbol in SYMBOLS:
            assert stored(house, symbol) == truth(symbol)
        state = agent(house)
        assert (state["state"], state["wanted"]) == ("waiting", "running")
        assert state["next_run"] is not None


def test_silence_in_session_is_an_alert_and_stopping_ends_the_run(open_house):
    with played(speed=600, stream_cut_seconds=1) as exchange:
        house = open_house(exchange.url)
        listen(house, exchange, ("NOPE",), alert_minutes=1)
        state = eventually(lambda: (found := agent(house))["state"] == "alert" and found, timeout=20, what="an alert")
        assert "no bar since 2024-07-03 13:30 UTC" in state["alert"]
        house.post("/agents/live/stop")
        state = agent(house)
        assert (state["state"], state["job_id"], state["alert"]) == ("stopped", None, None)
        assert (
            house.http.get("/jobs", params={"kind": "ingestion.live_agent"}).json()["items"][0]["state"] == "CANCELLED"
        )


def test_a_feed_without_a_stream_is_polled(open_house):
    with played(speed=2400) as exchange:
        house = open_house(exchange.url, ALPACA_FEED="delayed_sip")
        house.post("/watchlist", symbols=["EDGE"], since="2024-07-02")
        house.post("/agents/live/start", options=OPTIONS)
        eventually(lambda: agent(house)["note"].startswith("polling"), timeout=60, what="a run")
        exchange.run()  # nobody will subscribe
        eventually(lambda: len(stored(house, "EDGE")) > 20, timeout=30, what="some bars")
        eventually(lambda: agent(house)["runs"] > 0, timeout=60, what="the end of the window")
        assert stored(house, "EDGE") == truth("EDGE")
        assert agent(house)["last_result"]["received"] == 0
        assert exchange.streams == 0
