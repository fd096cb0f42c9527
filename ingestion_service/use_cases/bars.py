"""Showing the bars that are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from ingestion_service.domain.actions import Rename
from ingestion_service.domain.coverage import SessionCoverage
from ingestion_service.domain.gaps import Why
from ingestion_service.domain.spans import LastFailure
from ingestion_service.domain.symbols import crypto_pair
from ingestion_service.store.bars import BarStore, Stock
from ingestion_service.store.facts import Facts
from ingestion_service.use_cases.covered import SymbolCoverage, SymbolSummary, complete
from ingestion_service.use_cases.series import OF_DAYS, Reader, Wanted
from shared.clock import Clock
from shared.contracts.candles import MAX_BARS, Candles, condense
from shared.errors import InvalidInput, NotFound
from shared.storage.lake import PartitionInfo

_SORTS = ("symbol", "first", "last", "rows", "refused", "last_error", "age", "days", "gaps", "completeness")
#: what only the bars of every symbol tell: read once for each state of them, and remembered (store/facts.py)
_OF_FACTS = ("gaps", "completeness")


@dataclass(frozen=True)
class Excerpt:
    """Rows of a symbol, schema BARS_1M; `truncated` when the span has more. `data_version` names the whole span."""

    rows: pl.DataFrame
    truncated: bool
    data_version: str


@dataclass(frozen=True, kw_only=True)
class Past:
    """What was stored of a symbol at a moment. `changed`: when it changed, newest first, as far back as is known.

    `rows` are minutes, `days` daily bars; where there were days only, bounds and data version are theirs.
    """

    symbol: str
    at: datetime
    rows: int
    days: int
    first: datetime | None
    last: datetime | None
    data_version: str
    changed: list[datetime]


@dataclass(frozen=True)
class _Against:
    """By symbol: daily bars, refused rows, and the last ask that nobody answered."""

    days: Mapping[str, PartitionInfo]
    refused: Mapping[str, int]
    failures: Mapping[str, LastFailure]
    formerly: Mapping[str, Rename]
    renamed_to: Mapping[str, Rename]

    def sorted_by(self, stock: Stock, key: str, facts: Mapping[str, Facts]) -> str | float | datetime:
        """Return what `stock` is sorted by, for each key of one type; `facts` are there for keys of _OF_FACTS."""
        told, failure = facts.get(stock.symbol), self.failures.get(stock.symbol)
        known = {
            "refused": self.refused.get(stock.symbol, 0),
            "last_error": failure.last_at.timestamp() if failure else 0.0,
            "age": -stock.last.timestamp(),
            "days": self.days[stock.symbol].row_count if stock.symbol in self.days else 0,
            "gaps": told.gap_minutes if told else 0,
            "completeness": complete(stock.rows - told.off_hours, told.gap_minutes) if told else 1.0,
        }
        return known[key] if key in known else getattr(stock, key)


class Bars:
    """Reads bars and says what is there."""

    def __init__(self, store: BarStore, clock: Clock) -> None:
        self._store = store
        self._reader = Reader(store)
        self._clock = clock

    def stocks(self) -> list[Stock]:
        """Return every symbol that has bars of minutes or days, in order of its name."""
        minutes = {stock.symbol: stock for stock in self._store.stocks()}
        found = _of_days(self._store.days.stored()) | minutes
        return [found[symbol] for symbol in sorted(found)]

    def stock(self, symbol: str) -> Stock:
        """Return one symbol. Raises NotFound when it has no bars of minutes or days."""
        minutes = self._store.stocks(symbol)
        found = minutes[0] if minutes else _of_days(self._store.days.stored(symbol)).get(symbol)
        if found is None:
            raise self._none_of(symbol)
        return found

    def summaries(self) -> list[SymbolSummary]:
        """Return every symbol that has bars of minutes or days, in order of its name."""
        formerly, renamed_to = self._renames()
        counts = {symbol: file.row_count for symbol, file in self._store.days.stored().items()}
        return [
            SymbolSummary(
                symbol=one.symbol,
                first=one.first,
                last=one.last,
                rows=one.rows,
                days=(days := counts.get(one.symbol, 0)),
                timeframes=[*(["1m"] if one.rows else []), *(["1d"] if days else [])],
                formerly=formerly.get(one.symbol),
                renamed_to=renamed_to.get(one.symbol),
            )
            for one in self.stocks()
        ]

    def coverage(self, *, search: str, sort: str, offset: int, limit: int) -> tuple[list[SymbolCoverage], int]:
        """Return a page of symbols whose name contains `search`, and how many there are on all pages.

        `sort` is one of _SORTS, with a minus before it descending. Symbols without a last error come before all others;
        a symbol of days alone lacks nothing.
        """
        found, total = self.coverage_and_sessions(search=search, sort=sort, offset=offset, limit=limit)
        return [covered for covered, _ in found], total

    def coverage_and_sessions(
        self, *, search: str, sort: str, offset: int, limit: int
    ) -> tuple[list[tuple[SymbolCoverage, tuple[SessionCoverage, ...]]], int]:
        """Do the same, with each symbol's newest sessions, oldest first."""
        key = sort.removeprefix("-")
        if key not in _SORTS:
            raise InvalidInput(f"sort {sort!r}: use one of {', '.join(_SORTS)}, with a - before it for descending")
        found = [stock for stock in self.stocks() if search.upper() in stock.symbol]
        known = self._against(self._store.quarantine.counts())
        facts = self._store.facts_of(found) if key in _OF_FACTS else {}
        found.sort(key=lambda stock: known.sorted_by(stock, key, facts), reverse=sort.startswith("-"))
        stocks = found[offset : offset + limit]
        facts = facts or self._store.facts_of(stocks)
        page = [(self._covered(stock, facts[stock.symbol], known), facts[stock.symbol].recent) for stock in stocks]
        return page, len(found)

    def coverage_of(self, symbol: str, quarantined: int | None = None) -> SymbolCoverage:
        """Return the coverage of one symbol; `quarantined` is for who has counted its refused rows already.

        Raises NotFound when it has no bars.
        """
        stock = self.stock(symbol)
        refused = self._store.quarantine.counts() if quarantined is None else {symbol: quarantined}
        return self._covered(stock, self._store.facts_of([stock])[symbol], self._against(refused))

    def excerpt(self, wanted: Wanted, limit: int) -> Excerpt:
        """Return the first `limit` bars of what is wanted. Raises NotFound when the symbol has no bars at all."""
        series = self._reader.read(wanted)
        if series.rows.is_empty():
            self._check_known(wanted)
        return Excerpt(series.rows.head(limit), series.rows.height > limit, series.version)

    def candles(self, wanted: Wanted, limit: int = MAX_BARS) -> Candles:
        """Return at most `limit` candles that together are the wanted bars.

        Raises NotFound when the symbol has no bars at all.
        """
        rows = self._reader.read(wanted).rows
        if rows.is_empty():
            self._check_known(wanted)
        return condense(
            Candles(
                ts_us=rows["ts"].to_physical().to_numpy(),
                open=rows["open"].to_numpy(),
                high=rows["high"].to_numpy(),
                low=rows["low"].to_numpy(),
                close=rows["close"].to_numpy(),
                volume=rows["volume"].fill_null(float("nan")).to_numpy(),
                length=wanted.timeframe.value,
            ),
            limit,
            always_open=crypto_pair(wanted.symbol) is not None,
        )

    def past(self, symbol: str, at: datetime | None) -> Past:
        """Return what was stored of `symbol` at a moment, the present when it is None.

        Raises NotFound when the symbol has no bars now and no history either.
        """
        moments = sorted({*self._store.changes(symbol), *self._store.days.changes(symbol)}, reverse=True)
        if not moments:
            raise NotFound(f"there are no bars of {symbol}, and none are remembered")
        minutes, days = self._store.snapshot(symbol, None, None, at), self._store.days.snapshot(symbol, as_of=at)
        told = minutes if minutes.files else days
        bounds = [(file.min_ts, file.max_ts) for file in told.files]
        return Past(
            symbol=symbol,
            at=at or self._clock.now(),
            rows=minutes.rows,
            days=days.rows,
            first=min((first for first, _ in bounds if first), default=None),
            last=max((last for _, last in bounds if last), default=None),
            data_version=told.version,
            changed=moments,
        )

    def _check_known(self, wanted: Wanted) -> None:
        names = [chapter.symbol for chapter in self._reader.names(wanted.symbol, wanted.as_of)]
        if any(self._store.stocks(name) for name in names):
            return
        if wanted.timeframe not in OF_DAYS or not any(name in self._store.days.stored() for name in names):
            raise self._none_of(wanted.symbol)

    def _none_of(self, symbol: str) -> NotFound:
        """Return what to say of a symbol without minutes."""
        days = self._store.days.stored(symbol).get(symbol)
        if days is None:
            return NotFound(f"there are no bars of {symbol}: ingest or import them first")
        return NotFound(
            f"there are no minute bars of {symbol}, only {days.row_count:,} daily bars: read those with timeframe=1d "
            f"or 1w, or fetch minutes with POST /ingest/{symbol}"
        )

    def _against(self, refused: Mapping[str, int]) -> _Against:
        return _Against(
            self._store.days.stored(),
            refused,
            self._store.asks.last_failures(),
            *self._renames(),
        )

    def _renames(self) -> tuple[dict[str, Rename], dict[str, Rename]]:
        """Return the last rename of each symbol, by its new and by its former name."""
        found = self._store.actions.renames()
        return {one.symbol: one for one in found}, {one.former: one for one in found}

    def _covered(self, stock: Stock, facts: Facts, known: _Against) -> SymbolCoverage:
        counts, days = facts.missing, known.days.get(stock.symbol)
        return SymbolCoverage(
            symbol=stock.symbol,
            first=stock.first,
            last=stock.last,
            rows=stock.rows,
            bytes=stock.bytes,
            days=days.row_count if days else 0,
            first_day=days.min_ts.date() if days and days.min_ts else None,
            last_day=days.max_ts.date() if days and days.max_ts else None,
            sources=[*facts.sources, *(self._sources_of_days(stock.symbol) if days else [])],
            sessions=facts.sessions,
            sessions_expected=facts.sessions_expected,
            missing_minutes=sum(counts.values()),
            outage_minutes=counts.get(Why.OUTAGE, 0),
            refused_minutes=counts.get(Why.REFUSED, 0),
            silent_minutes=counts.get(Why.SILENT, 0),
            no_trade_minutes=counts.get(Why.NO_TRADE, 0),
            gap_minutes=facts.gap_minutes,
            completeness=complete(stock.rows - facts.off_hours, facts.gap_minutes),
            off_hours=facts.off_hours,
            filled=facts.filled,
            quarantined=known.refused.get(stock.symbol, 0),
            stale_seconds=max((self._clock.now() - stock.last).total_seconds(), 0.0),
            last_error=known.failures.get(stock.symbol),
            formerly=known.formerly.get(stock.symbol),
            renamed_to=known.renamed_to.get(stock.symbol),
        )

    def _sources_of_days(self, symbol: str) -> list[str]:
        rows = self._store.days.read(self._store.days.snapshot(symbol), ["source"])
        return rows["source"].unique().sort().to_list()


def _of_days(files: Mapping[str, PartitionInfo]) -> dict[str, Stock]:
    """Return symbols with daily bars as stocks that have no minutes."""
    return {
        symbol: Stock(symbol=symbol, first=file.min_ts, last=file.max_ts, rows=0, bytes=file.byte_count, files=())
        for symbol, file in files.items()
        if file.min_ts is not None and file.max_ts is not None
    }
