"""Taking bars in: from a provider month by month, or from files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from ingestion_service.domain.coverage import off_hours
from ingestion_service.domain.days import finished, looks_daily
from ingestion_service.domain.drift import SeenDrift
from ingestion_service.domain.gaps import covered, due_until
from ingestion_service.domain.requests import ImportFiles, IngestBars, IngestMany, Stored
from ingestion_service.domain.spans import Answered, FailedAsk, Settled, Span, happened, span_of
from ingestion_service.domain.validation import Screened, only_what_is_over, screen, screen_days
from ingestion_service.store.bars import BarStore
from ingestion_service.store.files import FileSource, find_files
from ingestion_service.store.providers import Providers
from ingestion_service.use_cases.asking import Asking
from ingestion_service.use_cases.fetch import Fetch
from ingestion_service.use_cases.fetch_days import FetchDays
from ingestion_service.use_cases.fetch_many import FetchMany
from ingestion_service.use_cases.tally import Tally
from shared.clock import Clock
from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Window
from shared.contracts.sessions import Int64Array
from shared.errors import InvalidInput
from shared.jobs.context import JobContext
from shared.jobs.model import Submission
from shared.jobs.queue import Queue

#: stored bars so close to a file's tell how the symbol usually trades
_AROUND = timedelta(days=31)


class Intake:
    """Submits and runs the jobs that bring bars in. Providers are asked on the `market`'s time, files come on ours."""

    def __init__(self, store: BarStore, queue: Queue, clock: Clock, providers: Providers, market: Clock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._market = market
        self.providers = providers

    def drift(self) -> list[SeenDrift]:
        """Return how providers' answers differed from their documents, newest first."""
        return self._store.drift.all()

    def asks(self, symbol: str) -> tuple[list[Answered], list[FailedAsk]]:
        """Return what providers answered of `symbol`, and what they were asked and have not answered."""
        return self._store.asks.answered_spans(symbol), self._store.asks.failed_asks(symbol)

    # --- asked for

    def submit(self, requests: list[IngestBars]) -> list[int]:
        """Enqueue one job for each request; one that waits or runs already is not started twice.

        Raises InvalidInput when nobody a request names can be asked here, and for a span that lies in the future.
        """
        for request in requests:
            self._check(request.provider, request.symbol, request, daily=request.timeframe == "1d")
        return self._queue.submit(
            [
                Submission(
                    kind=JobKind.INGEST_BARS,
                    payload=request.model_dump(mode="json"),
                    unique_key=f"ingest {request.model_dump_json()}",
                )
                for request in requests
            ]
        )

    def submit_import(self, request: ImportFiles) -> int:
        """Enqueue an import. Raises InvalidInput at once when there is nothing to read at its path."""
        find_files(request.path, request.glob)
        return self._queue.submit(
            [
                Submission(
                    kind=JobKind.IMPORT_FILES,
                    payload=request.model_dump(mode="json"),
                    unique_key=fingerprint("import", request=request),
                )
            ]
        )[0]

    # --- done, in a worker

    def ingest(self, request: IngestBars, ctx: JobContext) -> dict[str, object]:
        """Fetch what is missing of the request from the providers it names; see `use_cases.fetch`."""
        line = self.providers.line(request.provider, request.symbol)
        with Asking(self._store.drift) as asking:
            job = FetchDays if request.timeframe == "1d" else Fetch
            return job(self._store, self._market.now, line, request, ctx, asking).run()

    def submit_many(self, request: IngestMany) -> int:
        """Enqueue one job for all symbols of the request. Raises InvalidInput as `submit` does."""
        for symbol in request.symbols:
            self._check(request.provider, symbol, request)
        return self._queue.submit(
            [
                Submission(
                    kind=JobKind.INGEST_MANY,
                    payload=request.model_dump(mode="json"),
                    unique_key=fingerprint("ingest many", request=request),
                )
            ]
        )[0]

    def ingest_many(self, request: IngestMany, ctx: JobContext) -> dict[str, object]:
        """Fetch what is missing of many symbols, together where that is possible; see `use_cases.fetch_many`."""
        with Asking(self._store.drift) as asking:
            return FetchMany(self._store, self._market.now, self.providers, request, ctx, asking).run()

    def import_files(self, request: ImportFiles, ctx: JobContext) -> dict[str, object]:
        """Check every file, then store every file: one that cannot be used stops the import before anything is stored.

        Raises InvalidInput naming the files that cannot be used, and why.
        """
        files = find_files(request.path, request.glob)
        self._refuse_bad_files(files, request, ctx)
        total, reports = Tally(), list[dict[str, object]]()
        for done, file in enumerate(files):
            ctx.advanced(0.5 + done / len(files) / 2, f"storing {file.name}: {total.stored:,} bars so far")
            take = self._take_days if request.timeframe == "1d" else self._take_file
            tally, symbols = take(_source(file, request), ctx)
            total.merge(tally)
            reports.append({"file": str(file), "symbols": symbols, **asdict(tally)})
        return {**asdict(total), "files": reports}

    def _check(self, provider: str | None, symbol: str, window: Window, *, daily: bool = False) -> None:
        self.providers.check(provider, symbol)
        span, now = Span(window.start_utc, window.end_utc), self._market.now()
        finished(symbol, span, now) if daily else happened(span, now, symbol)

    def _refuse_bad_files(self, files: list[Path], request: ImportFiles, ctx: JobContext) -> None:
        troubles: list[str] = []
        for done, file in enumerate(files):
            ctx.advanced(done / len(files) / 2, f"checking {file.name}")
            try:
                for symbol, screened in _screened(_source(file, request), self._clock.now(), request.timeframe):
                    if screened.bars.is_empty():
                        troubles.append(
                            f"{file}: all {screened.rows} rows of {symbol} are bad: {screened.why()}. Look at its "
                            "first rows: perhaps its columns or time zone must be named, or its times written otherwise"
                        )
            except InvalidInput as error:
                troubles.append(str(error))
        if troubles:
            more = f" (and {len(troubles) - 5} more)" if len(troubles) > 5 else ""
            raise InvalidInput(f"nothing was stored. {' | '.join(troubles[:5])}{more}")

    def _take_file(self, source: FileSource, ctx: JobContext) -> tuple[Tally, list[str]]:
        tally, symbols = Tally(), list[str]()
        for symbol in source.symbols():
            rows, received = source.rows(symbol), self._clock.now()
            screened = self._store.judged({symbol: rows}, source.name, span_of(rows["ts"]))[symbol]
            screened = only_what_is_over(screened, received)
            stamps = screened.bars["ts"]
            due = due_until(symbol, stamps[-1], received) if stamps.len() else None
            ts_us = stamps.to_physical().to_numpy()
            touched, answered = covered(symbol, ts_us, self._stored_around(symbol, stamps), due)
            settled = Settled(answered, anew=touched)
            commit = self._store.save(screened, symbol, source.name, settled, received, ctx.still_mine)
            tally.add(screened, where=f"{source.path.name} {symbol}")
            tally.count(commit)
            tally.off_hours += off_hours(symbol, ts_us)
            symbols.append(symbol)
        return tally, symbols

    def _stored_around(self, symbol: str, stamps: pl.Series) -> Int64Array:
        """Return the minutes stored from a month before the first of `stamps` to a month after the last, ascending."""
        span = span_of(stamps)
        near = self._store.snapshot(symbol, span.start - _AROUND, span.end + _AROUND)
        return self._store.read(near, ["ts"])["ts"].to_physical().to_numpy()

    def _take_days(self, source: FileSource, ctx: JobContext) -> tuple[Tally, list[str]]:
        tally, symbols = Tally(), list[str]()
        for symbol, screened in _screened(source, self._clock.now(), "1d"):
            self._store.quarantine.add(screened.refused, self._clock.now(), ctx.still_mine)
            commit = self._store.days.save(screened.bars, ctx.still_mine)
            tally.add(screened, where=f"{source.path.name} {symbol}")
            tally.count(commit)
            symbols.append(symbol)
        return tally, symbols


def _source(file: Path, request: ImportFiles) -> FileSource:
    return FileSource(file, request.columns, request.symbol, request.timezone)


def _screened(source: FileSource, now: datetime, timeframe: Stored) -> Iterator[tuple[str, Screened]]:
    for symbol in source.symbols():
        if timeframe == "1d":
            yield symbol, screen_days(source.rows(symbol), symbol, source.name, now)
            continue
        rows = source.rows(symbol)
        if looks_daily(rows["ts"]):
            raise InvalidInput(
                f"{source.path}: the {rows.height:,} rows of {symbol} are a day apart at one time of day: "
                "daily bars are imported with timeframe 1d"
            )
        yield symbol, only_what_is_over(screen(rows, symbol, source.name), now)
