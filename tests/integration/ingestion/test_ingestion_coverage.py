"""What is told of many symbols at once: in how many questions, and the same as of each alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import polars as pl
import pytest

from ingestion_service.domain.spans import Settled, Span
from ingestion_service.domain.validation import screen
from ingestion_service.store.bars import BarStore
from ingestion_service.use_cases import quality as quality_of_all
from ingestion_service.use_cases.bars import Bars
from ingestion_service.use_cases.releasing import Chosen, Releasing
from shared.clock import FixedClock
from shared.contracts.datasets import BARS_1M
from shared.storage.lake import Lake, migrate_lake
from shared.storage.migrate import migrate
from shared.storage.postgres import Connection, Database
from shared.testing.markets import reverting_bars

MONDAY, WEDNESDAY = datetime(2024, 11, 25, tzinfo=UTC), datetime(2024, 11, 27, tzinfo=UTC)
SYMBOLS = ("ABC", "DEF", "GHI", "JKL")
EVERYTHING = {"search": "", "sort": "symbol", "offset": 0, "limit": 100}


class Counted(Database):
    """A database that counts its transactions: how often somebody waits for it."""

    asked = 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.asked += 1
        with super().transaction() as conn:
            yield conn


@pytest.fixture
def counted(database_url: str) -> Iterator[Counted]:
    database = Counted(database_url, application_name="test")
    migrate_lake(database)
    migrate(database, "ingestion", "ingestion_service")
    yield database
    database.close()


@pytest.fixture
def store(counted: Counted, tmp_path, clock: FixedClock) -> BarStore:
    """Four symbols, of each of which two minutes were refused as spikes."""
    store = BarStore(counted, Lake(counted, str(tmp_path / "lake"), clock), clock)
    for at, symbol in enumerate(SYMBOLS):
        bars = reverting_bars(symbol, MONDAY, WEDNESDAY, seed=at).drop("symbol", "source")
        odd = pl.int_range(pl.len()).is_in([50, 150])
        found = screen(bars.with_columns(pl.when(odd).then(pl.col("high") * 2).otherwise("high")), symbol, "files")
        store.save(found, symbol, "files", Settled([Span(MONDAY, WEDNESDAY)]), clock.now(), lambda _: None)
    return store


def test_a_page_of_many_symbols_asks_no_more_than_one_of_few(store: BarStore, counted: Counted, clock: FixedClock):
    bars, waits = Bars(store, clock), list[int]()
    bars.coverage(**EVERYTHING)
    for limit in (1, len(SYMBOLS)):
        before = counted.asked
        bars.coverage_and_sessions(**EVERYTHING | {"limit": limit})
        waits.append(counted.asked - before)
    assert waits[0] == waits[1]


def test_many_symbols_are_told_as_each_alone(store: BarStore, clock: FixedClock):
    Releasing(store, clock).release("DEF", Chosen(reason="spike"), by="user", why="good")
    bars = Bars(store, clock)
    page, total = bars.coverage_and_sessions(**EVERYTHING)
    assert (total, [covered.symbol for covered, _ in page]) == (4, list(SYMBOLS))
    assert [covered for covered, _ in page] == [bars.coverage_of(symbol) for symbol in SYMBOLS]
    assert [(one.refused_minutes, one.quarantined) for one, _ in page] == [(2, 2), (0, 0), (2, 2), (2, 2)]
    assert [[one.stored for one in sessions] for _, sessions in page] == [[388, 390], [390, 390], *[[388, 390]] * 2]


def test_symbols_are_sorted_by_what_is_against_them(store: BarStore, clock: FixedClock):
    Releasing(store, clock).release("DEF", Chosen(reason="spike"), by="user", why="good")
    for symbol in ("GHI", "DEF"):
        store.asks.record_failure(symbol, "alpaca", Span(MONDAY, WEDNESDAY), kind="unavailable", reason="it is silent")
    bars = Bars(store, clock)

    def symbols(sort: str) -> list[str]:
        return [covered.symbol for covered in bars.coverage(**EVERYTHING | {"sort": sort})[0]]

    assert symbols("-last_error") == ["DEF", "GHI", "ABC", "JKL"]
    assert symbols("last_error") == ["ABC", "JKL", "GHI", "DEF"]
    assert symbols("refused") == ["DEF", "ABC", "GHI", "JKL"]
    assert symbols("-rows")[0] == "DEF"  # whose refused rows are bars now


def test_what_was_told_is_told_anew_when_bars_answers_or_refusals_change(
    store: BarStore, counted: Counted, clock: FixedClock
):
    def told() -> tuple[int, int, int]:
        [(one, _)], _ = Bars(store, clock).coverage_and_sessions(**EVERYTHING | {"search": "ABC"})
        return one.outage_minutes, one.refused_minutes, one.no_trade_minutes

    assert told() == told() == (0, 2, 0)
    day = reverting_bars("ABC", WEDNESDAY, datetime(2024, 11, 28, tzinfo=UTC), seed=9)
    store.exchange(day[:0], day[5:], clock.now(), lambda _: None)
    assert told() == (5, 2, 0)
    with counted.transaction() as conn:
        store.asks.record_answer(conn, "ABC", "files", Span(WEDNESDAY, datetime(2024, 11, 28, tzinfo=UTC)), empty=False)
    assert told() == (0, 2, 5)
    wrong = (
        day[1:2]
        .with_columns(said=pl.lit(None, pl.String), reason=pl.lit("a reason"))
        .select(
            "symbol", *[name for name in BARS_1M.schema if name not in ("symbol", "source")], "said", "reason", "source"
        )
    )
    store.quarantine.add(wrong, clock.now())
    assert told() == (0, 3, 4)


def test_the_quality_page_says_of_how_many_symbols_it_found_the_worst(open_house, tmp_path, monkeypatch):
    monkeypatch.setattr(quality_of_all, "_LOOKED_AT", 1)
    house = open_house()
    for symbol in ("ABC", "DEF"):
        bars = reverting_bars(symbol, MONDAY, WEDNESDAY, seed=1).drop("symbol", "source")
        bars.write_parquet(tmp_path / f"{symbol}.parquet")
    house.done(house.post("/import", path=str(tmp_path), glob="*.parquet")["job_id"])
    page = house.http.get("/quality", headers={"Accept": "text/html"}).text
    assert "0 of the first 1 (of 2 in all), most gap minutes first" in page
