"""How ingestion is doing: agents, errors, how far symbols lag, and what the disk holds."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from ingestion_service.domain.drift import SeenDrift
from ingestion_service.domain.feed import Feed, feed, first_hour
from ingestion_service.domain.symbols import crypto_pair
from ingestion_service.domain.windows import minutes_behind
from ingestion_service.store.agents import AgentStore, Trouble
from ingestion_service.store.bars import BarStore
from ingestion_service.use_cases.agents import Agents, AgentState
from shared.clock import Clock
from shared.contracts.datasets import BARS_1M
from shared.errors import Unavailable
from shared.storage.lake import Lake, Usage

_DRIFTED_WITHIN = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Staleness:
    """How old a symbol's newest bar is; `minutes_behind` counts regular minutes that ended since, of a coin all.

    All three are None for a watched symbol that has no bar at all.
    """

    symbol: str
    last: datetime | None
    age_s: float | None
    minutes_behind: int | None
    watched: bool


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Bytes of the disk that the lake is on; None where the lake is not a folder of this machine."""

    free: int | None
    total: int | None
    datasets: list[Usage]


@dataclass(frozen=True, kw_only=True)
class Overview:
    agents: list[AgentState]
    errors: list[Trouble]
    staleness: list[Staleness]
    disk: Disk
    #: the live feed's last 24 hours
    feed: Feed
    #: fields of providers' answers that were not as documented in the last day
    drift: list[SeenDrift]


class Monitoring:
    def __init__(
        self, agents: Agents, store: AgentStore, bars: BarStore, lake: Lake, lake_root: str, clock: Clock, market: Clock
    ) -> None:
        """`market` tells the time of bars, `clock` ours."""
        self._agents = agents
        self._store = store
        self._bars = bars
        self._lake = lake
        self._root = lake_root
        self._clock = clock
        self._market = market

    def overview(self) -> Overview:
        return Overview(
            agents=self._agents.all(),
            errors=self._store.troubles(),
            staleness=self.staleness(),
            disk=self.disk(),
            feed=self.feed(),
            drift=self.drift(),
        )

    def drift(self) -> list[SeenDrift]:
        """Return the fields that were not as documented in the last day, newest first."""
        since = self._clock.now() - _DRIFTED_WITHIN
        return [drift for drift in self._bars.drift.all() if drift.last_seen >= since]

    def feed(self) -> Feed:
        """Return what came of the symbols listened to live."""
        now = self._market.now()
        stored = {one.symbol: np.zeros(0, np.int64) for one in self._store.watched() if one.live}
        if stored:
            snapshot = self._lake.snapshot(BARS_1M, start=first_hour(now), symbol=list(stored))
            rows = self._lake.read(snapshot, ["symbol", "ts"]).with_columns(pl.col("ts").to_physical())
            stored |= {symbol: own["ts"].to_numpy() for (symbol,), own in rows.group_by("symbol")}
        return feed(now, stored, self._store.trouble_hours("live", first_hour(now)))

    def staleness(self) -> list[Staleness]:
        """Return every stored or watched symbol: first the watched ones, of each kind the one that lags most first."""
        now = self._market.now()
        watched = {one.symbol for one in self._store.watched()}
        behind: dict[tuple[datetime, bool], int] = {}
        for stock in (stocks := self._bars.stocks()):
            key = (stock.last, bool(crypto_pair(stock.symbol)))
            if key not in behind:
                behind[key] = minutes_behind(stock.last, now, always_open=key[1])
        rows = [
            Staleness(
                symbol=stock.symbol,
                last=stock.last,
                age_s=max((now - stock.last).total_seconds(), 0.0),
                minutes_behind=behind[stock.last, bool(crypto_pair(stock.symbol))],
                watched=stock.symbol in watched,
            )
            for stock in stocks
        ]
        rows += [
            Staleness(symbol=symbol, last=None, age_s=None, minutes_behind=None, watched=True)
            for symbol in watched - {stock.symbol for stock in stocks}
        ]
        return sorted(rows, key=lambda row: (not row.watched, row.age_s is not None, -(row.age_s or 0), row.symbol))

    def met(self, where: str, error: Exception) -> None:
        """Count an error of a job; one that cannot be stored is not worth a second one."""
        with suppress(Unavailable):
            self._store.note_trouble(where, type(error).__name__, str(error))

    def errors(self) -> list[Trouble]:
        return self._store.troubles()

    def agents(self) -> list[AgentState]:
        return self._agents.all()

    def disk(self) -> Disk:
        folder = Path(self._root)
        usage = shutil.disk_usage(folder) if folder.is_dir() else None
        return Disk(
            free=usage.free if usage else None, total=usage.total if usage else None, datasets=self._lake.usage()
        )
