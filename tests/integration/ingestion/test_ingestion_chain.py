"""Who is asked, in which order, what is kept of what they say, and what a job says when nobody has any bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import polars as pl
import pytest
from wire_servers import Wire, alpaca_crypto, massive, yahoo

from ingestion_service.domain.drift import Drift
from ingestion_service.domain.requests import IngestBars
from ingestion_service.domain.sources import EARLIEST, RAW_SCHEMA, NotOffered, Refused
from ingestion_service.domain.spans import Span
from ingestion_service.store.bars import BarStore
from ingestion_service.store.providers import Offer, Providers
from ingestion_service.use_cases import Intake
from shared.clock import FixedClock, SystemClock
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.jobs.context import JobContext
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.migrate import migrate
from shared.testing.servers import serving
from simulated_exchange.market import Market

NOW = datetime(2024, 6, 20, 15, 0, tzinfo=UTC)
MAY, JUNE = datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)


@dataclass
class Scripted:
    """A source with the rows it is given, or the error; it remembers what it was asked."""

    name: str
    rows: pl.DataFrame = field(default_factory=RAW_SCHEMA.to_frame)
    error: Exception | None = None
    first: datetime = EARLIEST
    asked: list[Span] = field(default_factory=list)
    odd: list[Drift] = field(default_factory=list)

    def earliest(self) -> datetime:
        return self.first

    def drift(self) -> list[Drift]:
        odd, self.odd = self.odd, []
        return odd

    def bars(self, _symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        self.asked.append(Span(start, end))
        if self.error:
            raise self.error
        return self.rows.filter(pl.col("ts").is_between(start, end, closed="left"))


def bars_at(start: datetime, count: int = 5) -> pl.DataFrame:
    """Return bars, each unlike the one before it."""
    stamps = [start + timedelta(minutes=i) for i in range(count)]
    price = [100 + i / 100 for i in range(count)]
    return pl.DataFrame(
        {"ts": stamps, "open": price, "high": price, "low": price, "close": price, "volume": 1.0},
        schema_overrides=RAW_SCHEMA,
    )


@pytest.fixture
def store(database, lake, clock) -> BarStore:
    migrate(database, "ingestion", "ingestion_service")
    return BarStore(database, lake, clock)


@pytest.fixture
def ingest(database, store) -> Callable[..., dict]:
    queue = Queue(database)
    queue.migrate()

    def run(*sources: Scripted, start: datetime = MAY, end: datetime = JUNE, **more: object) -> dict:
        offers = {source.name: Offer(open=lambda source=source: source) for source in sources}
        offers |= more.pop("offers", {})
        named = more.pop("provider", ",".join(offers))
        clock = FixedClock(NOW)
        intake = Intake(store, queue, clock, Providers(offers, list(offers), clock), clock)
        request = IngestBars(symbol="VIX", start=start, end=end, provider=named, **more)
        token = uuid4()
        queue.submit([Submission(kind="ingestion.ingest", payload=request.model_dump(mode="json"))])
        (job,) = queue.claim(["ingestion.ingest"], 1, token, "test").jobs
        ctx = JobContext(job_id=job.id, kind=job.kind, payload={}, priority=0, attempt=1, token=token)
        return intake.ingest(request, ctx)

    return run


def sources_of(store: BarStore) -> set[str]:
    return set(store.read(store.snapshot("VIX", None, None))["source"])


def test_who_has_nothing_hands_over_and_is_not_asked_twice(ingest, store):
    first, second, third = Scripted("a"), Scripted("b", bars_at(MAY + timedelta(days=2, hours=14))), Scripted("c")
    result = ingest(first, second, third)
    assert (result["provider"], result["stored"], sources_of(store)) == ("b", 5, {"b"})
    assert result["providers"]["a"] == "answered 1 span without a bar"
    assert (len(first.asked), len(second.asked), third.asked) == (1, 1, [])

    again = ingest(first, second, third)
    assert (again["reused"], len(first.asked), len(second.asked)) == (True, 1, 1)
    known = [(span.provider, span.start, span.end, span.empty) for span in store.asks.answered_spans("VIX")]
    assert known == [("a", MAY, JUNE, True), ("b", MAY, JUNE, False)]

    first.rows = second.rows
    assert ingest(first, second, third, refresh=True)["provider"] == "a"
    assert [(span.provider, span.empty) for span in store.asks.answered_spans("VIX")] == [("a", False), ("b", False)]


def test_a_later_provider_is_asked_once_it_joins_the_chain(ingest):
    nobody = Scripted("a")
    with pytest.raises(NotFound):
        ingest(nobody)
    late = Scripted("b", bars_at(MAY + timedelta(days=2, hours=14)))
    assert ingest(nobody, late)["stored"] == 5
    assert len(nobody.asked) == 1


def test_when_nobody_has_any_the_job_says_who_was_asked_and_what_each_said(ingest, store):
    with pytest.raises(NotFound) as nobody:
        ingest(
            Scripted("a"),
            Scripted("b", error=NotOffered("b: not in your plan")),
            Scripted("c", first=JUNE),
            offers={"d": Offer(open=lambda: Scripted("d"), lacks="set D_KEY")},
        )
    said = str(nobody.value)
    for phrase in ("a, b and c have no bars of VIX", "a: answered 1 span", "b: not in your plan", "c: has no minutes"):
        assert phrase in said
    assert "d: passed over: set D_KEY" in said
    (failed,) = store.asks.failed_asks("VIX")
    assert (failed.provider, failed.kind, failed.start, failed.asks) == ("b", "not_offered", MAY, 1)
    assert store.stocks() == []


def test_silence_hands_over_and_is_remembered_until_it_is_answered(ingest, store):
    silent = Scripted("a", error=Unavailable("a: no answer"))
    giver = Scripted("b", bars_at(MAY + timedelta(days=2, hours=14)))
    assert ingest(silent, giver)["provider"] == "b"
    assert [(ask.provider, ask.kind) for ask in store.asks.failed_asks("VIX")] == [("a", "unavailable")]

    awake = Scripted("a", bars_at(MAY + timedelta(days=2, hours=15)))
    ingest(awake, giver, refresh=True)
    assert store.asks.failed_asks("VIX") == []
    assert sources_of(store) == {"a", "b"}


def test_who_was_silent_once_is_not_waited_for_month_after_month(ingest):
    silent = Scripted("a", error=Unavailable("a: no answer"))
    minutes = [bars_at(datetime(2024, month, 22, 15, tzinfo=UTC)) for month in range(1, 6)]
    giver = Scripted("b", pl.concat(minutes))
    result = ingest(silent, giver, start=datetime(2024, 1, 1, tzinfo=UTC))
    assert (result["stored"], len(silent.asked), len(giver.asked)) == (25, 1, 5)


def test_a_span_that_somebody_may_have_stays_open_and_the_job_is_tried_again(ingest):
    silent, empty = Scripted("a", error=Unavailable("a: no answer")), Scripted("b")
    with pytest.raises(Unavailable, match=r"VIX 2024-05 is still open.*a: no answer.*b: answered 1 span"):
        ingest(silent, empty)
    silent.error, silent.rows = None, bars_at(MAY + timedelta(days=2, hours=14))
    assert ingest(silent, empty)["provider"] == "a"
    assert len(empty.asked) == 1


def test_refused_credentials_stop_at_once_and_nobody_else_is_asked(ingest, store):
    wrong, other = Scripted("a", error=Refused("a refused the credentials (401)")), Scripted("b", bars_at(MAY))
    with pytest.raises(Refused, match="401"):
        ingest(wrong, other, end=NOW)
    assert (len(wrong.asked), other.asked, store.stocks()) == (1, [], [])
    assert store.asks.failed_asks("VIX")[0].kind == "refused"


def test_who_knows_the_symbol_is_believed_about_its_silence(ingest):
    knows = Scripted("a", bars_at(MAY + timedelta(days=2, hours=14)))
    other = Scripted("b", bars_at(MAY, 60 * 24))
    assert ingest(knows, other, end=NOW)["stored"] == 5
    assert (len(knows.asked), other.asked) == (2, [])


def test_a_closed_market_is_nobodys_fault(ingest):
    saturday = datetime(2024, 5, 4, tzinfo=UTC)
    first, second = Scripted("a"), Scripted("b")
    with pytest.raises(NotFound):
        ingest(first, second, start=saturday, end=saturday + timedelta(days=2))
    assert (len(first.asked), second.asked) == (1, [])


def test_only_what_a_provider_reaches_is_asked_of_it(ingest, store):
    old = Scripted("a", bars_at(datetime(2024, 5, 3, 14, tzinfo=UTC)))
    recent = Scripted("b", bars_at(datetime(2024, 5, 21, 14, tzinfo=UTC)), first=datetime(2024, 5, 20, tzinfo=UTC))
    assert ingest(recent, old)["stored"] == 10
    assert recent.asked == [Span(datetime(2024, 5, 20, tzinfo=UTC), JUNE)]
    assert old.asked == [Span(MAY, datetime(2024, 5, 20, tzinfo=UTC))]
    assert sources_of(store) == {"a", "b"}


def test_rows_that_are_all_bad_hand_over_and_drift_is_kept(ingest, store, caplog):
    odd = Drift(provider="a", field="c", kind="missing", type="", expected="number", example="", rows_seen=5)
    nameless = bars_at(MAY + timedelta(days=2, hours=14)).with_columns(close=pl.lit(None, dtype=pl.Float64))
    changed = Scripted("a", nameless, odd=[odd])
    sound = Scripted("b", bars_at(MAY + timedelta(days=2, hours=14)))
    assert ingest(changed, sound)["provider"] == "b"
    assert [record.__dict__["field"] for record in caplog.records if record.msg.endswith("as documented")] == ["c"]
    (seen,) = store.drift.all()
    assert (seen.provider, seen.field, seen.kind, seen.rows_seen) == ("a", "c", "missing", 5)
    changed.odd, changed.error = [odd], InvalidInput("a: nonsense")
    with pytest.raises(InvalidInput, match="nonsense"):
        ingest(changed, refresh=True)
    assert store.drift.all()[0].rows_seen == 10


def test_an_unknown_provider_and_one_without_its_key_are_said_before_anybody_is_asked(ingest):
    source = Scripted("a")
    with pytest.raises(InvalidInput, match="'b' is not known: use a"):
        ingest(source, provider="b")
    lacking = {"iex": Offer(open=lambda: source, lacks="IEX Cloud closed")}
    with pytest.raises(InvalidInput, match="iex cannot be asked for VIX: IEX Cloud closed"):
        ingest(source, offers=lacking, provider="iex")
    assert source.asked == []


def test_the_whole_chain_through_the_real_clients(open_house, caplog):
    now = SystemClock().now
    end = now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    start = end - timedelta(days=6)
    bars = Market().bars("QMKT", start, end)
    truth = bars.select("ts", open="o", high="h", low="l", close="c", volume=pl.col("v").cast(pl.Float64))
    unsold = truth.with_columns(volume=pl.lit(None, dtype=pl.Float64))
    coins, paid = Wire({"COIN/USD": truth}), Wire({"I:VIX": unsold})
    ex_date = truth["ts"][-1].date()
    at = int(truth.filter(pl.col("ts").dt.date() == ex_date)["ts"][0].timestamp())
    split = {"date": at, "numerator": 3.0, "denominator": 1.0, "splitRatio": "3:1"}
    free = Wire({"QMKT": truth}, actions={"QMKT": {"splits": {str(at): split}}}, twist=lambda said: said | {"odd": 1})
    with (
        serving(alpaca_crypto(coins)) as alpaca_http,
        serving(massive(paid)) as massive_http,
        serving(yahoo(free, now)) as yahoo_http,
    ):
        house = open_house(
            str(alpaca_http.base_url),
            key="",
            ALPACA_SECRET_KEY="",
            MASSIVE_API_KEY="the-key",
            MASSIVE_API_BASE_URL=str(massive_http.base_url),
            YAHOO_BASE_URL=str(yahoo_http.base_url),
            BARSMITH_PROVIDERS="simulated,massive,yahoo",
            IEX_TOKEN="the-token",
        )
        said = [record.__dict__.get("detail", "") for record in caplog.records if record.msg.startswith("a setting")]
        assert ["IEX Cloud closed" in detail for detail in said] == [True]
        span = {"start": start.isoformat(), "end": end.isoformat()}
        for symbol, giver in (("VIX", "massive"), ("QMKT", "yahoo"), ("COINUSD", "simulated")):
            result = house.ingest(symbol, **span)
            assert (result["provider"], result["stored"]) == (giver, truth.height), result
        days = {"start": str(start.date()), "end": str(end.date())}
        told = house.done(house.post("/actions/QMKT/fetch", **days)["job_id"])
        assert (told["provider"], told["actions"]) == ("yahoo", 1), told
        assert all(
            words in house.http.get("/", headers={"Accept": "text/html"}).text
            for words in ("corporate actions QMKT", "1 from yahoo")
        )
        (action,) = house.http.get("/actions/QMKT").json()
        assert (action["kind"], action["ex_date"], action["value"]) == ("split", str(ex_date), 3.0)
        drifted = [(one["provider"], one["field"]) for one in house.http.get("/monitoring").json()["drift"]]
        assert drifted == [("yahoo", "odd")]
        assert 'barsmith_ingestion_drifted_fields{provider="yahoo"} 1.0' in house.http.get("/metrics").text
        lost = house.ended(house.post("/ingest/NOPE", **span)["job_id"])
        assert lost["state"] == "FAILED"
        assert "simulated, massive and yahoo have no bars of NOPE" in lost["error"]
        assert "the-key" not in str(lost)
        asks = house.http.get("/asks/VIX").json()
        assert [answer["provider"] for answer in asks["answered"] if not answer["empty"]] == ["massive"]
        providers = {row["provider"]: row for row in house.http.get("/providers").json()}
        assert providers["massive"]["in_chain"]
        assert "IEX Cloud closed" in providers["iex"]["lacks"]
        refused = house.http.post("/ingest/SPY", json={**span, "provider": "iex"})
        assert refused.status_code == 400
        assert "ALPACA_FEED=iex" in refused.json()["detail"]


def test_a_lake_that_cannot_be_written_is_no_providers_silence(ingest, store, data_dir):
    (data_dir / "lake").write_text("in the way")
    first, second = (Scripted(name, bars_at(MAY + timedelta(days=2, hours=14))) for name in "ab")
    with pytest.raises(Unavailable, match="cannot write to"):
        ingest(first, second)
    assert (len(first.asked), second.asked) == (1, [])
    assert store.asks.failed_asks("VIX") == []
