"""The stored bars, and what providers were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from ingestion_service.domain.gaps import due_until
from ingestion_service.domain.releases import displaced, forgiven, without
from ingestion_service.domain.spans import Settled, Span, span_of
from ingestion_service.domain.suspicion import REACH
from ingestion_service.domain.validation import Screened, screen_many
from ingestion_service.store.actions import ActionStore
from ingestion_service.store.asks import AskStore
from ingestion_service.store.days import DayStore
from ingestion_service.store.drift import DriftStore
from ingestion_service.store.facts import Facts, Look, Minutes, Told
from ingestion_service.store.filled import FilledStore
from ingestion_service.store.quarantine import QuarantineStore
from ingestion_service.store.releases import ReleaseStore
from shared.clock import Clock
from shared.contracts.datasets import BARS_1M
from shared.storage.lake import Commit, Lake, PartitionInfo, Snapshot
from shared.storage.postgres import Connection, Database

Precondition = Callable[[Connection], None]

#: Bars further away than a long weekend do not judge their neighbours.
_NEAR = timedelta(days=4)


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What is stored of one symbol, as the manifest knows it. `files` are its months in order."""

    symbol: str
    first: datetime
    last: datetime
    rows: int
    bytes: int
    files: tuple[PartitionInfo, ...]


@dataclass(frozen=True)
class Kept:
    """A provider's answer for one symbol as it was judged, the spans it settles, and what a second one confirmed."""

    symbol: str
    screened: Screened
    answered: tuple[Span, ...]
    confirmed: pl.DataFrame | None = None


class BarStore:
    def __init__(self, database: Database, lake: Lake, clock: Clock) -> None:
        self._lake = lake
        self._clock = clock
        self.asks = AskStore(database)
        self.drift = DriftStore(database)
        self.releases = ReleaseStore(database)
        self.quarantine = QuarantineStore(lake, self.releases)
        self.filled = FilledStore(lake)
        self.days = DayStore(database, lake)
        self.actions = ActionStore(lake)
        self._told = Told(lake, self.quarantine, self.filled)

    def stocks(self, symbol: str | None = None) -> list[Stock]:
        """Return every symbol that has bars, in order of its name; opens no file."""
        partition = {} if symbol is None else {"symbol": symbol}
        by_symbol: dict[str, list[PartitionInfo]] = {}
        for file in self._lake.partitions(BARS_1M, **partition):
            by_symbol.setdefault(file.partition_values["symbol"], []).append(file)
        return [_stock(name, files) for name, files in sorted(by_symbol.items())]

    def snapshot(
        self, symbol: str, start: datetime | None, end: datetime | None, as_of: datetime | None = None
    ) -> Snapshot:
        return self._lake.snapshot(BARS_1M, start=start, end=end, as_of=as_of, symbol=symbol)

    def occupied(self, symbols: Sequence[str], span: Span) -> set[str]:
        """Return those of the symbols whose stored months reach into `span`; opens no file."""
        found = self._lake.snapshot(BARS_1M, start=span.start, end=span.end, symbol=list(symbols))
        return {file.partition_values["symbol"] for file in found.files}

    def changes(self, symbol: str) -> list[datetime]:
        """Return the moments at which the symbol's bars changed, newest first, back to the lake's last sweep."""
        return self._lake.history(BARS_1M, symbol=symbol)

    def read(self, snapshot: Snapshot, columns: Sequence[str] | None = None) -> pl.DataFrame:
        return self._lake.read(snapshot, columns)

    def facts(self, symbol: str) -> Facts:
        """Return what the symbol's bars tell, and what was answered of it. The symbol must have bars."""
        return self.facts_of(self.stocks(symbol))[symbol]

    def facts_of(self, stocks: Sequence[Stock]) -> dict[str, Facts]:
        """Return the facts of stocks just listed, by symbol; worked out once for each state of what they tell."""
        return {look.symbol: self._told.facts(look) for look in self._looks({one.symbol: one for one in stocks})}

    def minutes(self, symbol: str) -> Minutes:
        """Return every minute that is stored, and that is not: none of a symbol without minutes."""
        stocks = self.stocks(symbol)
        [look] = self._looks({symbol: stocks[0] if stocks else None})
        return self._told.minutes(look)

    def _looks(self, stocks: Mapping[str, Stock | None]) -> list[Look]:
        symbols, now = list(stocks), self._clock.now()
        answered, refused = self.asks.answered_spans_of(symbols), self.quarantine.snapshots(symbols)
        filled = self.filled.snapshots(symbols)
        return [
            Look(
                symbol,
                Snapshot(BARS_1M, stock.files if stock else (), None, None),
                tuple(answered[symbol]),
                refused[symbol],
                filled[symbol],
                due_until(symbol, stock.last, now) if stock else None,
            )
            for symbol, stock in stocks.items()
        ]

    def judged(self, raws: Mapping[str, pl.DataFrame], source: str, span: Span) -> dict[str, Screened]:
        """Return what becomes of each symbol's rows (see `validation.screen`); those outside `span` are refused.

        They are judged together with the bars stored in it, and with those next to it that its ends can need.
        """
        near = self._lake.snapshot(BARS_1M, start=span.start - _NEAR, end=span.end + _NEAR, symbol=list(raws))
        screened = screen_many(raws, source, _around(self.read(near), span), span)
        return {symbol: self.forgiven(symbol, one) for symbol, one in screened.items()}

    def exchange(self, wrong: pl.DataFrame, better: pl.DataFrame, received: datetime, still_mine: Precondition) -> None:
        """Put stored bars of one symbol (as `Screened.withdrawn`) aside, `better` ones (BARS_1M) in their place.

        The bars change in one commit, after the quarantine has what they were.
        """
        self.quarantine.add(wrong, received, still_mine)
        self._lake.upsert(BARS_1M, better, precondition=still_mine)

    def save(
        self,
        screened: Screened,
        symbol: str,
        provider: str,
        settled: Settled,
        received: datetime,
        still_mine: Precondition,
        *,
        confirmed: pl.DataFrame | None = None,
    ) -> Commit:
        """Merge sound bars into the lake, and put refused rows and withdrawn bars into the quarantine.

        In the bars' transaction it is recorded what the provider's answer settles, and that bars were released which
        another provider `confirmed` (columns of a Release without its time). The
        quarantine comes first: a job killed in between is done again, and nothing is lost or doubled.
        """
        self.quarantine.add(screened.refused, received, still_mine)
        if screened.withdrawn.height:
            self.withdraw(screened.withdrawn, received, still_mine)

        def commit_together(conn: Connection) -> None:
            still_mine(conn)
            for span in settled.anew:
                self.asks.forget_answers(conn, symbol, span, provider)
            for span in settled.spans:
                self.asks.record_answer(conn, symbol, provider, span, empty=settled.empty)
            if confirmed is not None:
                self.releases.record(conn, confirmed)

        return self._lake.upsert(BARS_1M, screened.bars, precondition=commit_together)

    def save_many(self, answers: Sequence[Kept], provider: str, received: datetime, still_mine: Precondition) -> Commit:
        """Do `save` for several symbols in one commit of bars and notes."""
        for one in answers:
            self.quarantine.add(one.screened.refused, received, still_mine)
            if one.screened.withdrawn.height:
                self.withdraw(one.screened.withdrawn, received, still_mine)

        def commit_together(conn: Connection) -> None:
            still_mine(conn)
            self.asks.record_answers(conn, provider, [(one.symbol, span) for one in answers for span in one.answered])
            for one in answers:
                if one.confirmed is not None:
                    self.releases.record(conn, one.confirmed)

        bars = pl.concat([one.screened.bars for one in answers])
        return self._lake.upsert(BARS_1M, bars, precondition=commit_together)

    def forgiven(self, symbol: str, screened: Screened) -> Screened:
        """Return what became of a symbol's rows, those bars that were released once (see domain/releases.py)."""
        suspects = pl.concat([screened.refused["ts"], screened.withdrawn["ts"]])
        return forgiven(screened, self.releases.rows(symbol, span_of(suspects))) if suspects.len() else screened

    def in_the_way(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the stored bars (BARS_1M) that have the minutes of `rows` (of one symbol) and say something else."""
        span = span_of(rows["ts"])
        stored = self.read(self.snapshot(rows["symbol"][0], span.start, span.end))
        return without(stored.join(rows, on="ts", how="semi"), rows)

    def release(self, rows: pl.DataFrame, in_the_way: pl.DataFrame, received: datetime) -> None:
        """Store rows of one symbol (columns of a Release) as bars; what was in their way goes to the quarantine.

        The release is recorded in the bars' transaction, after the quarantine has what they displace: one that is
        killed in between is done again, and nothing is lost or doubled.
        """
        self.quarantine.add(displaced(in_the_way), received)
        bars = rows.select(BARS_1M.schema.names())
        self._lake.upsert(BARS_1M, bars, precondition=lambda conn: self.releases.record(conn, rows))

    def withdraw(self, bars: pl.DataFrame, received: datetime, still_mine: Precondition) -> None:
        """Move stored bars of one symbol (rows as `Screened.withdrawn`) into the quarantine."""
        self.quarantine.add(bars, received, still_mine)
        months = bars["ts"].dt.strftime("%Y-%m").unique().to_list()
        wrong = bars.select("ts", "source", "close")
        self._lake.rewrite(
            BARS_1M,
            lambda old: old.join(wrong, on=wrong.columns, how="anti"),
            precondition=still_mine,
            symbol=bars["symbol"][0],
            month=months,
        )


def _around(found: pl.DataFrame, span: Span) -> pl.DataFrame:
    """Cut bars, sorted by symbol and time, down to the span and REACH bars of each symbol on either side."""
    before, after = pl.col("ts") < span.start, pl.col("ts") >= span.end
    too_early = before & (before.cum_sum(reverse=True).over("symbol") > REACH)
    return found.filter(~too_early & (after.cum_sum().over("symbol") <= REACH))


def _stock(symbol: str, files: list[PartitionInfo]) -> Stock:
    return Stock(
        symbol=symbol,
        first=min(file.min_ts for file in files if file.min_ts is not None),
        last=max(file.max_ts for file in files if file.max_ts is not None),
        rows=sum(file.row_count for file in files),
        bytes=sum(file.byte_count for file in files),
        files=tuple(files),
    )
