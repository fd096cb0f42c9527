"""Bars that look like spikes, and what a second provider says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import polars as pl
import pytest
from market_clients import CLOCK, END, START, TRUTH, alpaca
from wire_servers import Wire, alpaca_crypto, massive

from ingestion_service.domain.requests import IngestBars, IngestMany
from ingestion_service.domain.sources import EARLIEST, RAW_SCHEMA, NotOffered, Refused
from ingestion_service.domain.spans import Span
from ingestion_service.domain.validation import Reason
from ingestion_service.store.bars import BarStore
from ingestion_service.store.patience import Patience
from ingestion_service.store.providers import Offer, Providers
from ingestion_service.use_cases import Intake
from shared.clock import FixedClock
from shared.errors import Unavailable
from shared.jobs.context import JobContext
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.migrate import migrate
from shared.testing.markets import reverting_bars
from shared.testing.servers import serving

PRICES = ("open", "high", "low", "close")
WEEK = reverting_bars("SPY", datetime(2024, 6, 3, tzinfo=UTC), datetime(2024, 6, 8, tzinfo=UTC), seed=5)
BARS = WEEK.select(list(RAW_SCHEMA))
SPIKE = BARS["ts"][500]
ALL = IngestBars(symbol="SPY", start=datetime(2024, 6, 3, tzinfo=UTC), end=datetime(2024, 6, 8, tzinfo=UTC))


def with_spike(bars: pl.DataFrame = BARS, times: float = 1.2, at: datetime = SPIKE) -> pl.DataFrame:
    return bars.with_columns(pl.when(pl.col("ts") == at).then(pl.col(PRICES) * times).otherwise(pl.col(PRICES)))


@dataclass
class Source:
    """Answers with the rows it is given, for any symbol, also for many at once, or with the error."""

    name: str
    rows: pl.DataFrame = field(default_factory=RAW_SCHEMA.to_frame)
    error: Exception | None = None
    first: datetime = EARLIEST
    asked: list[Span] = field(default_factory=list)

    def earliest(self) -> datetime:
        return self.first

    def drift(self) -> list:
        return []

    def bars(self, _symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        self.asked.append(Span(start, end))
        if self.error:
            raise self.error
        return self.rows.filter(pl.col("ts").is_between(start, end, closed="left"))


class Together(Source):
    def bars_of(self, symbols, start: datetime, end: datetime) -> dict[str, pl.DataFrame]:
        return {symbol: self.bars(symbol, start, end) for symbol in symbols}


@pytest.fixture
def store(database, lake, clock) -> BarStore:
    migrate(database, "ingestion", "ingestion_service")
    return BarStore(database, lake, clock)


@pytest.fixture
def ingest(database, store) -> Callable[..., dict]:
    queue = Queue(database)
    queue.migrate()

    def run(
        *sources, request: IngestBars | IngestMany = ALL, clock: FixedClock = CLOCK, own_chains=None, **more: object
    ) -> dict:
        offers = {one.name: Offer(open=lambda one=one: one) for one in sources}
        providers = Providers(offers, list(offers), clock, own_chains)
        intake = Intake(store, queue, clock, providers, clock)
        asked = request.model_copy(update=more)
        token = uuid4()
        queue.submit([Submission(kind="ingestion.ingest", payload=asked.model_dump(mode="json"))])
        (job,) = queue.claim(["ingestion.ingest"], 1, token, "test").jobs
        ctx = JobContext(job_id=job.id, kind=job.kind, payload={}, priority=0, attempt=1, token=token)
        return intake.ingest_many(asked, ctx) if isinstance(asked, IngestMany) else intake.ingest(asked, ctx)

    return run


def stored(store: BarStore, symbol: str = "SPY") -> pl.DataFrame:
    return store.read(store.snapshot(symbol, None, None))


def test_nobody_else_is_asked_about_bars_that_are_not_suspected(ingest):
    first, second = Source("a", BARS), Source("b", BARS)
    result = ingest(first, second)
    assert (second.asked, result["second_opinions"], result["rejected"]) == ([], 0, {})


@pytest.mark.parametrize("together", [False, True])
def test_a_symbol_with_a_chain_of_its_own_is_told_by_the_next_of_that(ingest, together):
    sources = Source("a", BARS), Source("b", with_spike()), Source("c", with_spike())
    request = IngestMany(symbols=("SPY",), start=ALL.start, end=ALL.end) if together else ALL
    result = ingest(*sources, request=request, own_chains={"SPY": ("b", "c")})
    assert (result["second_opinions"], result["confirmed"]) == (1, 1)
    assert [bool(source.asked) for source in sources] == [False, True, True]


def test_a_spike_that_a_second_provider_gives_too_is_stored_and_never_suspected_again(ingest, store):
    first, second = Source("a", with_spike()), Source("b", with_spike(times=1.197))
    result = ingest(first, second)
    assert [(span.start, span.end - SPIKE < timedelta(minutes=2)) for span in second.asked] == [(SPIKE, True)]
    assert (result["second_opinions"], result["confirmed"], result["rejected"]) == (1, 1, {})
    bar = stored(store).filter(pl.col("ts") == SPIKE)
    assert (bar["close"][0], bar["source"][0]) == (BARS["close"][500] * 1.2, "a")
    (release,) = store.releases.all("SPY")
    assert (release.ts, release.released_by, release.reason, release.source) == (SPIKE, "b", Reason.SPIKE.value, "a")
    assert release.why.startswith("agrees: b says high ")
    again = ingest(first, second, refresh=True)
    assert (again["second_opinions"], again["rejected"], len(second.asked)) == (0, {}, 1)
    assert stored(store).height == BARS.height


def test_a_spike_that_a_second_provider_gives_otherwise_or_not_at_all_is_refused_with_what_it_said(ingest, store):
    second = BARS["ts"][900]
    first = Source("a", with_spike(with_spike(), at=second))
    result = ingest(first, Source("b", BARS.filter(pl.col("ts") != second)))
    assert (result["second_opinions"], result["confirmed"], result["rejected"]) == (1, 0, {Reason.SPIKE.value: 2})
    refused = store.quarantine.read("SPY").sort("ts")
    high, low = BARS["high"][500], BARS["low"][500]
    assert refused["said"].to_list() == [f"b says high {high}, low {low}", "b has no bar of this minute"]
    assert not stored(store)["ts"].is_in([SPIKE, second]).any()


@pytest.mark.parametrize(
    "trouble",
    [Unavailable("no answer"), Refused("401"), NotOffered("not in your plan")],
    ids=lambda e: type(e).__name__,
)
def test_a_dead_second_provider_fails_nothing_and_the_next_one_is_asked(ingest, store, trouble):
    dead = Source("b", error=trouble)
    result = ingest(Source("a", with_spike()), dead, Source("c", with_spike()))
    assert (result["second_opinions"], result["confirmed"], result["stored"]) == (2, 1, BARS.height)
    alone = ingest(Source("a", with_spike(times=1.3)), dead, refresh=True)
    assert (alone["confirmed"], alone["rejected"]) == (0, {Reason.SPIKE.value: 1})
    assert store.quarantine.read("SPY")["said"].to_list() == [f"b: {trouble}"]


def test_who_is_silent_is_asked_once_a_job_and_each_chunk_costs_one_question(ingest):
    later = BARS.with_columns(pl.col("ts") + timedelta(days=28))
    two_months = with_spike(with_spike(pl.concat([BARS, later])), at=SPIKE + timedelta(days=28))
    first, dead, third = Source("a", two_months), Source("b", error=Unavailable("no answer")), Source("c", two_months)
    end = datetime(2024, 7, 8, tzinfo=UTC)
    result = ingest(first, dead, third, request=ALL.model_copy(update={"end": end}), clock=FixedClock(end))
    assert (len(dead.asked), len(third.asked), result["second_opinions"], result["confirmed"]) == (1, 2, 3, 2)


def test_a_second_provider_is_asked_for_no_minute_beyond_its_reach(ingest):
    second = Source("b", with_spike(), first=SPIKE + timedelta(days=1))
    assert ingest(Source("a", with_spike()), second)["rejected"] == {Reason.SPIKE.value: 1}
    assert second.asked == []


def test_a_stored_spike_that_later_bars_reveal_is_kept_when_a_second_provider_confirms_it(ingest, store):
    first, second = Source("a", with_spike()), Source("b", with_spike())
    ingest(first, second, end=SPIKE + timedelta(minutes=1))  # nothing comes after it yet: it is not judged
    assert second.asked == []
    assert ingest(first, second, start=SPIKE + timedelta(minutes=1))["confirmed"] == 1
    assert stored(store).height == BARS.height
    assert store.quarantine.read("SPY").is_empty()


def test_many_symbols_at_once_have_a_second_opinion_too(ingest, store):
    first, second = Together("a", with_spike()), Source("b", with_spike())
    request = IngestMany(symbols=("SPY", "QQQ"), start=ALL.start, end=ALL.end)
    result = ingest(first, second, request=request)
    assert (result["second_opinions"], result["confirmed"], result["rejected"]) == (2, 2, {})
    assert stored(store, "QQQ").height == BARS.height
    assert len(first.asked) == 2


def test_the_real_clients_agree_and_disagree_over_the_wire(ingest, store):
    from ingestion_service.store.massive import MassiveSource

    at, other = TRUTH["ts"][700], TRUTH["ts"][1_400]
    coins = Wire({"EDGE/USD": with_spike(with_spike(TRUTH, at=at), at=other)}, page=1_000)
    paid = Wire({"X:EDGEUSD": with_spike(TRUTH, at=at)}, page=1_000)
    with serving(alpaca_crypto(coins)) as free_http, serving(massive(paid)) as paid_http:
        patience = Patience(str(paid_http.base_url), "MASSIVE_API_KEY", CLOCK)
        second = MassiveSource(base_url=str(paid_http.base_url), api_key="the-key", patience=patience)
        request = IngestBars(symbol="EDGEUSD", start=START, end=END)
        result = ingest(alpaca(str(free_http.base_url), key=""), second, request=request, clock=CLOCK)
    assert (result["second_opinions"], result["confirmed"], result["rejected"]) == (2, 1, {Reason.SPIKE.value: 1})
    assert len(paid.asked) == 2  # a chunk is a month, and they are in two
    bars = stored(store, "EDGEUSD")
    assert bars["ts"].is_in([at]).any()
    assert not bars["ts"].is_in([other]).any()
    assert set(bars["source"]) == {"simulated"}
