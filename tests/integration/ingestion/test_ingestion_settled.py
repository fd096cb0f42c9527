"""The newest minutes of a provider are asked for again, older ones never."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import polars as pl
import pytest

from ingestion_service.domain.drift import Drift
from ingestion_service.domain.requests import IngestBars
from ingestion_service.domain.sources import EARLIEST, RAW_SCHEMA
from ingestion_service.domain.spans import Span
from ingestion_service.store.bars import BarStore
from ingestion_service.store.providers import Offer, Providers
from ingestion_service.use_cases import Intake
from shared.clock import FixedClock
from shared.errors import InvalidInput
from shared.jobs.context import JobContext
from shared.jobs.model import LeaseLost, Submission
from shared.jobs.queue import Queue
from shared.storage.migrate import migrate

NOW = datetime(2024, 6, 10, 15, 0, tzinfo=UTC)


class Scripted:
    """A market source that answers from a list of rows, and remembers what it was asked."""

    name = "scripted"

    def __init__(self) -> None:
        self.rows = pl.DataFrame(schema=RAW_SCHEMA)
        self.asked: list[Span] = []
        #: all rows are the answer to any question
        self.whatever_is_asked = False

    def earliest(self) -> datetime:
        return EARLIEST

    def drift(self) -> list[Drift]:
        return []

    def bars(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        self.asked.append(Span(start, end))
        if self.whatever_is_asked:
            return self.rows
        return (
            self.rows.filter(pl.col("ts").is_between(start, end, closed="left")) if symbol == "SPY" else self.rows[:0]
        )


@pytest.fixture
def source() -> Scripted:
    return Scripted()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def store(database, lake, clock) -> BarStore:
    migrate(database, "ingestion", "ingestion_service")
    return BarStore(database, lake, clock)


@pytest.fixture
def ingest(database, store, source, clock) -> Callable[..., dict]:
    queue = Queue(database)
    queue.migrate()
    intake = Intake(
        store, queue, clock, Providers({source.name: Offer(open=lambda: source)}, [source.name], clock), clock
    )

    def run(symbol: str, start: datetime, end: datetime, *, cancel: bool = False) -> dict:
        token = uuid4()
        request = IngestBars(symbol=symbol, start=start, end=end, provider=source.name)
        queue.submit([Submission(kind="ingestion.ingest", payload=request.model_dump(mode="json"))])
        (job,) = queue.claim(["ingestion.ingest"], 1, token, "test").jobs
        if cancel:
            queue.cancel(job.id)
        ctx = JobContext(
            job_id=job.id, kind=job.kind, payload=job.payload, priority=0, attempt=1, token=token
        )  # fmt: skip
        return intake.ingest(request, ctx)

    return run


def minute_bars(start: datetime, count: int, price: float = 10.0) -> pl.DataFrame:
    stamps = [start + timedelta(minutes=i) for i in range(count)]
    return pl.DataFrame(
        {
            "ts": stamps,
            "open": price,
            "high": price,
            "low": price,
            "close": price,
            "volume": [1.0 + i for i in range(count)],
        },
        schema_overrides=RAW_SCHEMA,
    )


def test_rows_of_another_time_than_was_asked_for_are_put_aside(ingest, source, store):
    start = NOW - timedelta(days=4)
    rows = minute_bars(start, 60)
    strange = [NOW, NOW + timedelta(days=1_500), start - timedelta(minutes=1)]
    source.rows = pl.concat([rows, *(minute_bars(at, 1) for at in strange)])
    source.whatever_is_asked = True
    result = ingest("SPY", start, NOW)
    assert (result["rows"], result["stored"], result["rejected"]) == (63, 60, {"outside the span it was asked for": 3})
    (spy,) = store.stocks()
    assert (spy.first, spy.last, spy.rows) == (rows["ts"][0], rows["ts"][-1], 60)


def test_the_last_twenty_minutes_are_not_settled(ingest, source, clock):
    source.rows = minute_bars(NOW - timedelta(minutes=60), 60)
    ingest("SPY", NOW - timedelta(hours=2), NOW)

    clock.advance(timedelta(minutes=30))
    source.rows = minute_bars(NOW - timedelta(minutes=60), 90, price=11.0)
    result = ingest("SPY", NOW - timedelta(hours=2), NOW + timedelta(minutes=30))

    assert source.asked[1] == Span(NOW - timedelta(minutes=20), NOW + timedelta(minutes=30))
    assert (result["rows"], result["new_rows"]) == (50, 30)  # twenty minutes revised, thirty new


def test_a_revised_bar_replaces_the_first_one(ingest, source, store):
    source.rows = minute_bars(NOW - timedelta(minutes=5), 5)
    ingest("SPY", NOW - timedelta(hours=1), NOW)
    source.rows = minute_bars(NOW - timedelta(minutes=5), 5, price=11.0)
    ingest("SPY", NOW - timedelta(hours=1), NOW)
    assert store.read(store.snapshot("SPY", None, None))["close"].to_list() == [11.0] * 5


def test_a_job_that_was_called_off_stores_and_notes_nothing(ingest, source, store):
    source.rows = minute_bars(NOW - timedelta(hours=1), 10)
    with pytest.raises(LeaseLost):
        ingest("SPY", NOW - timedelta(hours=2), NOW, cancel=True)
    assert store.stocks() == []
    whole = Span(NOW - timedelta(hours=2), NOW)
    assert store.asks.missing_spans("SPY", [source.name], whole) == [whole]


def test_a_month_of_bad_rows_only_is_refused_with_the_reasons_and_not_noted(ingest, source, store):
    source.rows = minute_bars(NOW - timedelta(hours=1), 10, price=-1.0)
    with pytest.raises(
        InvalidInput, match=r"10 rows, all of them bad: 10 x a price is zero or negative\. GET /quarantine\?symbol=SPY"
    ):
        ingest("SPY", NOW - timedelta(hours=2), NOW)
    whole = Span(NOW - timedelta(hours=2), NOW)
    assert store.asks.missing_spans("SPY", [source.name], whole) == [whole]


def test_what_is_missing_is_what_was_never_answered(ingest, source, store):
    day = datetime(2024, 5, 1, tzinfo=UTC)
    source.rows = minute_bars(day, 10)
    ingest("SPY", day, day + timedelta(days=2))
    ingest("SPY", day + timedelta(days=4), day + timedelta(days=5))
    found = store.asks.missing_spans("SPY", [source.name], Span(day - timedelta(days=1), day + timedelta(days=6)))
    assert [(span.start.day, span.end.day) for span in found] == [(30, 1), (3, 5), (6, 7)]
    assert store.asks.missing_spans("QQQ", [source.name], Span(day, day + timedelta(days=1))) != []
