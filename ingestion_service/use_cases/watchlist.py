"""Which symbols are kept up to date, and named lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ingestion_service.domain.requests import IngestBars
from ingestion_service.store.agents import AgentStore, Universe, Watched
from ingestion_service.store.bars import BarStore, Stock
from ingestion_service.use_cases.intake import Intake
from shared.clock import Clock
from shared.contracts.messages import midnight
from shared.errors import InvalidInput, NotFound

#: how far back bars are wanted when nobody says it
_USUAL = timedelta(days=365)


@dataclass(frozen=True, kw_only=True)
class WatchedSymbol:
    """A symbol of the watchlist and what is stored of it."""

    symbol: str
    since: date
    live: bool
    added_at: datetime
    first: datetime | None
    last: datetime | None
    rows: int


class Watchlist:
    def __init__(self, store: AgentStore, bars: BarStore, intake: Intake, clock: Clock) -> None:
        self._store = store
        self._bars = bars
        self._intake = intake
        self._clock = clock

    def all(self, search: str = "") -> list[WatchedSymbol]:
        """Return the watchlist in order of symbols, those whose name contains `search`."""
        stocks = {stock.symbol: stock for stock in self._bars.stocks()}
        wanted = search.strip().upper()
        return [self._shown(one, stocks.get(one.symbol)) for one in self._store.watched() if wanted in one.symbol]

    def add_all(
        self, symbols: Sequence[str], universe: str | None, since: date | None, *, live: bool
    ) -> tuple[list[str], list[int]]:
        """Watch symbols, or those of a universe, since a day or for the last year; return them and their jobs' ids."""
        named = list(dict.fromkeys(self.universe(universe).symbols if universe else symbols))
        return named, self.add(named, since or (self._clock.now() - _USUAL).date(), live=live)

    def add(self, symbols: Sequence[str], since: date, *, live: bool) -> list[int]:
        """Watch symbols from now on, and queue the backfill of each since `since`; return the jobs' ids in order.

        A symbol that is watched already keeps the earlier of both first days. Raises InvalidInput for a first day that
        has not come, and when nobody can be asked for bars here.
        """
        now = self._clock.now()
        if midnight(since) >= now:
            raise InvalidInput(f"since {since} has not come yet: use a day before {now:%Y-%m-%d}")
        names = list(dict.fromkeys(symbols))
        with self._store.database.transaction() as conn:
            for symbol in names:
                self._store.watch(conn, symbol, since, live=live)
        return self._intake.submit(
            [
                # to the minute, so that two clicks are one job
                IngestBars(
                    symbol=symbol, start=midnight(since), end=now.replace(second=0, microsecond=0), keep_others=True
                )
                for symbol in names
            ]
        )

    def remove(self, symbol: str) -> None:
        """Watch a symbol no longer; its bars stay. Raises NotFound when it is not watched."""
        self._store.unwatch(symbol)

    def universes(self) -> list[Universe]:
        """Return every named list."""
        return self._store.universes()

    def universe(self, name: str) -> Universe:
        """Return one named list. Raises NotFound."""
        found = [one for one in self._store.universes() if one.name == name]
        if not found:
            raise NotFound(f"there is no universe {name!r}: make it with PUT /universes/{name}")
        return found[0]

    def save_universe(self, name: str, symbols: Sequence[str]) -> Universe:
        """Set a named list; the watchlist does not change by that."""
        self._store.save_universe(name, list(dict.fromkeys(symbols)))
        return self.universe(name)

    def drop_universe(self, name: str) -> None:
        """Forget a named list. Raises NotFound."""
        self._store.drop_universe(name)

    def _shown(self, one: Watched, stock: Stock | None) -> WatchedSymbol:
        return WatchedSymbol(
            symbol=one.symbol,
            since=one.since,
            live=one.live,
            added_at=one.added_at,
            first=stock.first if stock else None,
            last=stock.last if stock else None,
            rows=stock.rows if stock else 0,
        )
