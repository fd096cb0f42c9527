"""Taking bars in: from a provider month by month, or from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from ingestion_service.domain.requests import ImportFiles, IngestBars
from ingestion_service.domain.sources import EARLIEST, LATEST, MarketDataSource
from ingestion_service.domain.spans import Span, by_month
from ingestion_service.domain.validation import EXAMPLES, Screened, screen
from ingestion_service.store.bars import BarStore
from ingestion_service.store.files import FileSource, find_files
from shared.clock import Clock
from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.errors import InvalidInput, NotFound
from shared.jobs.context import JobContext
from shared.jobs.model import Submission
from shared.jobs.queue import Queue

#: A provider may still revise its newest minutes (late trades; free feeds lag by 15 minutes): not settled before this.
SETTLE = timedelta(minutes=20)


@dataclass
class Tally:
    """What became of the rows of a job: `rows` came in; each is either stored or rejected with a reason.

    `new_rows` of the stored ones were not there before. `examples` are the first rejected rows of each reason.
    """

    rows: int = 0
    stored: int = 0
    new_rows: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, str]] = field(default_factory=list)

    def add(self, screened: Screened, *, where: str) -> None:
        self.rows += screened.rows
        self.stored += screened.bars.height
        for reason, count in screened.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for example in screened.examples:
            if sum(known["reason"] == example["reason"] for known in self.examples) < EXAMPLES:
                self.examples.append({"where": where, **example})


class Intake:
    """Submits and runs the jobs that bring bars in."""

    def __init__(
        self, store: BarStore, queue: Queue, clock: Clock, provider: str, open_source: Callable[[], MarketDataSource]
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self.provider = provider
        self._open_source = open_source

    # --- asked for

    def submit(self, requests: list[IngestBars]) -> list[int]:
        """Enqueue one job for each request; one that waits or runs already is not started twice."""
        unknown = [request.provider for request in requests if request.provider != self.provider]
        if unknown:
            raise InvalidInput(f"provider {unknown[0]!r} is not set up here: use {self.provider!r}")
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
        """Fetch, check and store what the provider has not answered yet, a month at a time.

        Each month is stored and recorded as answered in one transaction, so a job that was killed goes on with the
        month it had not finished. Raises InvalidInput when all rows of an answer are bad, NotFound when the provider
        has no bars of the symbol and none are stored.
        """
        asked = Span(request.start_utc, request.end_utc)
        spans = [asked] if request.refresh else self._missing(request, asked)
        months, tally = by_month(spans), Tally()
        source = self._open_source() if months else None
        for done, month in enumerate(months):
            ctx.advanced(done / len(months), f"{request.symbol} {month.month}: {tally.stored:,} bars so far")
            assert source is not None  # noqa: S101 - there are months
            self._take_month(source, request.symbol, month, tally, ctx)
        if not tally.rows and not self._store.stocks(request.symbol):
            raise NotFound(
                f"{self.provider} has no bars of {request.symbol} from {asked.start:%Y-%m-%d} to {asked.end:%Y-%m-%d}: "
                "check the symbol; ask again with refresh=true if it should have some by now"
            )
        return {
            **asdict(tally),
            "symbol": request.symbol,
            "provider": self.provider,
            "months": len(months),
            "reused": not months,
        }

    def import_files(self, request: ImportFiles, ctx: JobContext) -> dict[str, object]:
        """Check every file, then store every file: one that cannot be used stops the import before anything is stored.

        Raises InvalidInput naming the files that cannot be used, and why.
        """
        files = find_files(request.path, request.glob)
        self._refuse_bad_files(files, request, ctx)
        total, reports = Tally(), list[dict[str, object]]()
        for done, file in enumerate(files):
            ctx.advanced(0.5 + done / len(files) / 2, f"storing {file.name}: {total.stored:,} bars so far")
            tally, symbols = self._take_file(_source(file, request), ctx)
            _merge(total, tally)
            reports.append({"file": str(file), "symbols": symbols, **asdict(tally)})
        return {**asdict(total), "files": reports}

    def _missing(self, request: IngestBars, asked: Span) -> list[Span]:
        return self._store.asks.missing_spans(request.symbol, [self.provider], asked)

    def _take_month(self, source: MarketDataSource, symbol: str, month: Span, tally: Tally, ctx: JobContext) -> None:
        settled_until = min(month.end, self._clock.now() - SETTLE)  # read before asking: what comes later is not in it
        screened = screen(source.bars(symbol, month.start, month.end), symbol, source.name)
        if screened.rows and screened.bars.is_empty():
            raise InvalidInput(
                f"{source.name} answered {symbol} {month.month} with {screened.rows} rows, all of them bad: "
                f"{screened.why()}"
            )
        settled = Span(month.start, settled_until) if settled_until > month.start else None
        commit = self._store.save_answer(screened.bars, symbol, source.name, settled, ctx.still_mine)
        tally.add(screened, where=f"{symbol} {month.month}")
        tally.new_rows += commit.rows_added

    def _refuse_bad_files(self, files: list[Path], request: ImportFiles, ctx: JobContext) -> None:
        troubles: list[str] = []
        for done, file in enumerate(files):
            ctx.advanced(done / len(files) / 2, f"checking {file.name}")
            try:
                for symbol, screened in _screened(_source(file, request)):
                    if screened.bars.is_empty():
                        troubles.append(f"{file}: all {screened.rows} rows of {symbol} are bad: {screened.why()}")
            except InvalidInput as error:
                troubles.append(str(error))
        if troubles:
            more = f" (and {len(troubles) - 5} more)" if len(troubles) > 5 else ""
            raise InvalidInput(f"nothing was stored. {' | '.join(troubles[:5])}{more}")

    def _take_file(self, source: FileSource, ctx: JobContext) -> tuple[Tally, list[str]]:
        tally, symbols = Tally(), list[str]()
        for symbol, screened in _screened(source):
            commit = self._store.save(screened.bars, ctx.still_mine)
            tally.add(screened, where=f"{source.path.name} {symbol}")
            tally.new_rows += commit.rows_added
            symbols.append(symbol)
        return tally, symbols


def _source(file: Path, request: ImportFiles) -> FileSource:
    return FileSource(file, request.columns, request.symbol, request.timezone)


def _screened(source: FileSource) -> Iterator[tuple[str, Screened]]:
    for symbol in source.symbols():
        yield symbol, screen(source.bars(symbol, EARLIEST, LATEST), symbol, source.name)


def _merge(total: Tally, part: Tally) -> None:
    total.rows += part.rows
    total.stored += part.stored
    total.new_rows += part.new_rows
    for reason, count in part.rejected.items():
        total.rejected[reason] = total.rejected.get(reason, 0) + count
    total.examples = (total.examples + part.examples)[: 4 * EXAMPLES]
