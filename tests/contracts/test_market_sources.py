"""What every source of market data must do, whichever it is: the real ones, each with the same bars behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ingestion_service.domain.sources import EARLIEST, LATEST, RAW_SCHEMA, MarketDataSource
from ingestion_service.domain.validation import screen
from ingestion_service.store.files import FileSource
from ingestion_service.store.patience import Patience
from shared.clock import SystemClock
from shared.errors import InvalidInput, Unavailable
from shared.testing.ports import free_port
from shared.testing.servers import serving
from simulated_exchange.app import create_app
from simulated_exchange.market import Market
from simulated_exchange.settings import ExchangeSettings

START, END = datetime(2024, 6, 27, tzinfo=UTC), datetime(2024, 7, 4, tzinfo=UTC)
TRUTH = (
    Market()
    .bars("EDGE", START, END)
    .select("ts", open="o", high="h", low="l", close="c", volume=pl.col("v").cast(pl.Float64))
)

Opened = Callable[[], MarketDataSource]


def alpaca(
    url: str, key: str = "simulated", pause: Callable[[float], None] = lambda _seconds: None
) -> MarketDataSource:
    from ingestion_service.store.alpaca import AlpacaSource

    return AlpacaSource(
        name="simulated",
        base_url=url,
        key_id=key,
        secret_key="simulated-secret",
        feed="iex",
        patience=Patience(url, "ALPACA_KEY_ID", SystemClock(), pause=pause),
    )


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with serving(create_app(ExchangeSettings(page_limit=300))) as http:
        yield str(http.base_url)


@pytest.fixture(params=["alpaca", "parquet", "csv"])
def source(request: pytest.FixtureRequest, exchange: str, tmp_path: Path) -> MarketDataSource:
    if request.param == "alpaca":
        return alpaca(exchange)
    file = tmp_path / f"EDGE.{request.param}"
    TRUTH.write_parquet(file) if request.param == "parquet" else TRUTH.write_csv(file)
    return FileSource(file)


def test_it_has_a_name(source):
    assert source.name == source.name.strip().lower() != ""


def test_all_bars_of_the_span_come_in_the_raw_schema(source):
    found = source.bars("EDGE", START, END)
    assert found.schema == RAW_SCHEMA
    assert_frame_equal(found, TRUTH)


def test_the_span_is_half_open(source):
    begin, end = TRUTH["ts"][10], TRUTH["ts"][20]
    assert_frame_equal(source.bars("EDGE", begin, end), TRUTH[10:20])
    just_after = source.bars("EDGE", begin + timedelta(seconds=1), end + timedelta(seconds=1))
    assert_frame_equal(just_after, TRUTH[11:21])


def test_what_it_does_not_have_is_empty_not_an_error(source):
    for symbol, start, end in (
        ("NOPE", START, END),
        ("EDGE", datetime(2024, 6, 29, tzinfo=UTC), datetime(2024, 6, 30, tzinfo=UTC)),
    ):
        found = source.bars(symbol, start, end)
        assert (found.height, found.schema) == (0, RAW_SCHEMA)


def test_the_same_question_gets_the_same_answer(source):
    assert_frame_equal(source.bars("EDGE", START, END), source.bars("EDGE", START, END))


def test_what_it_says_passes_the_checks(source):
    found = screen(source.bars("EDGE", START, END), "EDGE", source.name)
    assert (found.bars.height, found.rejected) == (TRUTH.height, {})


def test_a_refusal_is_invalid_input_and_silence_is_unavailable(exchange, tmp_path):
    waits: list[float] = []
    with pytest.raises(InvalidInput, match=r"403.*ALPACA_KEY_ID"):
        alpaca(exchange, key="wrong", pause=waits.append).bars("EDGE", START, END)
    assert waits == []
    with pytest.raises(Unavailable, match="6 times in a row"):
        alpaca(f"http://127.0.0.1:{free_port()}", pause=waits.append).bars("EDGE", START, END)
    assert len(waits) == 5
    (tmp_path / "EDGE.csv").write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(InvalidInput, match=r"EDGE\.csv"):
        FileSource(tmp_path / "EDGE.csv").bars("EDGE", EARLIEST, LATEST)


def test_a_page_that_fails_is_asked_again_and_not_the_pages_before_it():
    with serving(create_app(ExchangeSettings(page_limit=300, storm_every=4, storm_length=1, fail_every=3))) as http:
        assert_frame_equal(alpaca(str(http.base_url)).bars("EDGE", START, END), TRUTH)
        asked = http.get("/healthz").json()["requests"]
    pages, failures = -(-TRUTH.height // 300), asked // 3 + asked // 4
    assert asked <= pages + failures
