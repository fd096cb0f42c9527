"""A past half day played by the exchange on a clock that tests set, and a house that listens to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import polars as pl

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

    def at(self, moment: datetime) -> None:
        self._set(moment, 0.0)

    def hold(self) -> None:
        self.at(self.timeline.now())

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
