"""What every source of market data must do, whichever it is: the real ones, each with the same bars behind it.

Providers are their own client libraries asking local servers that speak their protocols.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from market_clients import CLOCK, END, INTERNET, START, TRUTH, WITHOUT_VOLUME, Asked, alpaca, provider
from polars.testing import assert_frame_equal
from wire_servers import Wire

from ingestion_service.domain.sources import EARLIEST, RAW_SCHEMA, KnowsDays, NotOffered, Refused
from ingestion_service.domain.validation import screen
from ingestion_service.store.files import FileSource
from shared.errors import InvalidInput, Unavailable
from shared.testing.ports import free_port
from shared.testing.servers import serving
from simulated_exchange.app import create_app
from simulated_exchange.settings import ExchangeSettings


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with serving(create_app(ExchangeSettings(page_limit=300))) as http:
        yield str(http.base_url)


@pytest.fixture(params=["alpaca", *INTERNET, "parquet", "csv"])
def asked(request: pytest.FixtureRequest, exchange: str, tmp_path: Path) -> Iterator[Asked]:
    if request.param in INTERNET:
        with provider(request.param, tmp_path) as opened:
            yield opened
    elif request.param == "alpaca":
        yield Asked(alpaca(exchange), Wire({}), [])
    else:
        file = tmp_path / f"EDGE.{request.param}"
        TRUTH.write_parquet(file) if request.param == "parquet" else TRUTH.write_csv(file)
        yield Asked(FileSource(file), Wire({}), [])


@pytest.fixture(params=INTERNET)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asked]:
    with provider(request.param, tmp_path) as opened:
        yield opened


def test_it_has_a_name(asked):
    assert asked.source.name == asked.source.name.strip().lower() != ""


def test_all_bars_of_the_span_come_in_the_raw_schema(asked):
    found = asked.source.bars(asked.symbol, START, END)
    assert found.schema == RAW_SCHEMA
    assert_frame_equal(found, TRUTH)


def test_the_span_is_half_open(asked):
    begin, end = TRUTH["ts"][10], TRUTH["ts"][20]
    assert_frame_equal(asked.source.bars(asked.symbol, begin, end), TRUTH[10:20])
    just_after = asked.source.bars(asked.symbol, begin + timedelta(seconds=1), end + timedelta(seconds=1))
    assert_frame_equal(just_after, TRUTH[11:21])


def test_what_it_does_not_have_is_empty_or_not_offered_and_no_other_error(asked):
    weekend = datetime(2024, 6, 29, tzinfo=UTC), datetime(2024, 6, 30, tzinfo=UTC)
    for symbol, start, end in (("NOPE", START, END), (asked.symbol, *weekend)):
        try:
            found = asked.source.bars(symbol, start, end)
        except NotOffered:
            assert symbol == "NOPE"
        else:
            assert (found.height, found.schema) == (0, RAW_SCHEMA)


def test_the_same_question_gets_the_same_answer(asked):
    first = asked.source.bars(asked.symbol, START, END)
    assert_frame_equal(asked.source.bars(asked.symbol, START, END), first)


def test_what_it_says_passes_the_checks_and_is_as_documented(asked):
    found = screen(asked.source.bars(asked.symbol, START, END), "EDGE", asked.source.name)
    assert (found.bars.height, found.rejected) == (TRUTH.height, {})
    assert asked.source.drift() == []


def test_it_says_how_far_back_it_reaches(asked):
    first = asked.source.earliest()
    assert first == EARLIEST or first < START
    assert (first > EARLIEST) == (asked.source.name == "yahoo")


def test_many_pages_are_one_answer(remote):
    remote.source.bars(remote.symbol, START, END)
    pages = [path for path in remote.wire.asked if "1d" not in path]
    # Yahoo has windows in place of pages
    assert len(pages) == (1 if remote.source.name == "yahoo" else -(-TRUTH.height // remote.wire.page))


def test_throttling_and_the_servers_faults_only_delay(remote):
    said = {"status": "ERROR", "error": "slow down", "message": "slow down"}
    remote.wire.faults = [JSONResponse(said, 429, {"Retry-After": "7"}), JSONResponse(said, 500), JSONResponse([], 503)]
    assert_frame_equal(remote.source.bars(remote.symbol, START, END), TRUTH)
    assert 7 <= remote.waits[0] <= 7.1
    assert len(remote.waits) == 3


def test_credentials_that_are_refused_are_not_tried_again(remote):
    for status in (401, 403):
        remote.wire.faults = [JSONResponse({"status": "ERROR", "error": "Unknown API Key", "message": "no"}, status)]
        with pytest.raises(Refused, match=str(status)):
            remote.source.bars(remote.symbol, START, END)
        knocked = len(remote.wire.asked)
        with pytest.raises(Refused, match="left alone"):
            remote.source.bars(remote.symbol, START, END)
        assert (len(remote.wire.asked), remote.waits) == (knocked, [])
        CLOCK.advance(timedelta(minutes=11))


def test_what_the_plan_does_not_cover_is_not_offered(remote):
    said = "Your plan doesn't include this data timeframe. Please upgrade your subscription"
    remote.wire.faults = [JSONResponse({"status": "NOT_AUTHORIZED", "message": said}, 403)]
    with pytest.raises(NotOffered, match="403"):
        remote.source.bars(remote.symbol, START, END)
    assert_frame_equal(remote.source.bars(remote.symbol, START, END), TRUTH)


def test_fields_that_change_are_noticed(remote):
    def twisted(row):
        return row | {"surprise": 1} | ({"c": str(row["c"])} if "c" in row else {"meta": None})

    remote.wire.twist = twisted
    try:
        remote.source.bars(remote.symbol, START, END)
    except Unavailable:
        assert remote.source.name == "yahoo"  # its library cannot read an answer without meta
    seen = {(drift.field, drift.kind, drift.type) for drift in remote.source.drift()}
    assert ("surprise", "new", "number") in seen
    assert seen & {("c", "retyped", "string"), ("meta", "retyped", "null")}
    assert remote.source.drift() == []


@pytest.mark.parametrize("answer", [[], {"surprise": 1, "status": "OK"}, {"bars": 7, "results": 7, "status": "OK"}])
def test_an_answer_of_another_shape_is_told_in_words_and_noticed(remote, answer):
    remote.wire.faults = [JSONResponse(answer)] * 3
    try:
        assert remote.source.bars(remote.symbol, START, END).is_empty()
    except (InvalidInput, Unavailable, NotOffered) as error:
        assert "could not be read" in str(error)  # noqa: PT017 - some libraries take it for an empty answer
    assert remote.source.drift() or answer == []


def test_what_the_plan_does_not_cover_yet_is_left_out_of_the_newest_minutes():
    app, asked = FastAPI(), list[str]()

    @app.get("/v2/stocks/bars")
    def bars(end: str) -> Response:
        asked.append(end)
        if datetime.fromisoformat(end) > CLOCK.now() - timedelta(minutes=15):
            said = "subscription does not permit querying recent SIP data"
            return JSONResponse({"message": said}, 403)
        return JSONResponse({"bars": {}, "next_page_token": None})

    with serving(app) as http:
        source = alpaca(str(http.base_url), clock=CLOCK)
        assert source.bars("EDGE", CLOCK.now() - timedelta(days=1), CLOCK.now()).is_empty()
        assert len(asked) == 2
        with pytest.raises(NotOffered, match="recent SIP"):
            source.bars("EDGE", CLOCK.now() - timedelta(minutes=5), CLOCK.now())


@pytest.mark.parametrize("name", ["massive", "yahoo"])
def test_an_index_goes_by_the_providers_name_and_has_no_volume(name, tmp_path):
    with provider(name, tmp_path) as asked:
        assert_frame_equal(asked.source.bars("VIX", START, END), WITHOUT_VOLUME)
        assert asked.source.drift() == []


def test_bars_that_are_counted_and_not_shown_are_no_empty_answer(tmp_path):
    with provider("massive", tmp_path) as asked:
        asked.wire.faults = [JSONResponse({"status": "OK", "resultsCount": 3, "rows": [1, 2, 3]})]
        with pytest.raises(InvalidInput, match="counts 3 rows and shows none"):
            asked.source.bars("EDGE", START, END)
        assert [(drift.field, drift.kind) for drift in asked.source.drift()] == [("rows", "new")]


def test_a_wrong_key_is_refused_by_massive(tmp_path):
    with provider("massive", tmp_path, key="another") as asked, pytest.raises(Refused, match="Unknown API Key"):
        asked.source.bars("EDGE", START, END)


def test_yahoo_is_asked_for_no_more_than_a_week_at_a_time_and_nothing_older_than_a_month(tmp_path):
    with provider("yahoo", tmp_path) as asked:
        found = asked.source.bars("EDGE", datetime(2024, 1, 1, tzinfo=UTC), CLOCK.now())
    assert_frame_equal(found, TRUTH)
    windows = [path for path in asked.wire.asked if "period1" in path]
    assert len(windows) == 5


def test_yahoos_bars_before_a_split_come_as_they_were_traded(tmp_path):
    ex_date = datetime(2024, 7, 2, tzinfo=UTC)
    before, at = pl.col("ts") < ex_date, str(int(ex_date.timestamp()) + 48_600)
    shares = pl.when(before).then(4.0).otherwise(1.0)
    split = {"date": int(at), "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}
    with provider("yahoo", tmp_path) as asked:
        prices = [pl.col(name) / shares for name in ("open", "high", "low", "close")]
        asked.wire.bars = {"EDGE": TRUTH.with_columns(*prices, volume=pl.col("volume") * shares)}
        asked.wire.actions = {"EDGE": {"splits": {at: split}}}
        assert_frame_equal(asked.source.bars("EDGE", START, END), TRUTH)  # over the split
        monday = datetime(2024, 7, 1, tzinfo=UTC)  # it is not in the answer about the days before it
        assert_frame_equal(asked.source.bars("EDGE", START, monday), TRUTH.filter(pl.col("ts") < monday))
        asked.wire.asked.clear()
        recent = asked.source.bars("EDGE", END - timedelta(days=1), CLOCK.now())
        assert_frame_equal(recent, TRUTH.filter(pl.col("ts") >= END - timedelta(days=1)))
        assert [path for path in asked.wire.asked if "interval=1d" in path] == []
        assert asked.source.drift() == []


def test_yahoos_days_of_decades_come_as_they_were_traded_in_one_question(tmp_path):
    days = [datetime(1999, 12, 31, 14, 30, tzinfo=UTC), datetime(2014, 6, 6, 13, 30, tzinfo=UTC)]
    days += [datetime(2014, 6, 9, 13, 30, tzinfo=UTC), datetime(2024, 7, 9, 13, 30, tzinfo=UTC)]
    price = [102.8125, 645.57, 93.7, 228.68]
    traded = pl.DataFrame(
        {"ts": days, "open": price, "high": [p * 1.01 for p in price], "low": price, "close": price, "volume": 7e6},
        schema=RAW_SCHEMA,
    )
    ratios = {days[2]: 7.0, datetime(2020, 8, 31, 13, 30, tzinfo=UTC): 4.0}
    splits = {str(int(at.timestamp())): ratio for at, ratio in ratios.items()}
    told = {at: {"date": int(at), "numerator": ratio, "denominator": 1.0} for at, ratio in splits.items()}
    paid = {str(int(days[1].timestamp())): {"amount": 0.02, "date": int(days[1].timestamp())}}
    midnights = traded.with_columns(pl.col("ts").dt.truncate("1d"))
    with provider("yahoo", tmp_path) as asked:
        asked.wire.days = {"AAPL": traded, "^VIX": traded}
        asked.wire.actions = {"AAPL": {"splits": told, "dividends": paid}}
        assert isinstance(asked.source, KnowsDays)
        assert_frame_equal(asked.source.days("AAPL", date(1990, 1, 1), date(2024, 7, 10)), midnights)
        assert len([path for path in asked.wire.asked if "period1" in path]) == 1
        # the splits after a span count too
        assert_frame_equal(asked.source.days("AAPL", date(1999, 1, 1), date(2014, 6, 9)), midnights[:2])
        assert asked.source.days("VIX", date(1990, 1, 1), date(2024, 7, 10))["volume"].to_list() == [None] * 4
        assert asked.source.drift() == []
        with pytest.raises(NotOffered, match="No data found"):
            asked.source.days("NOPE", date(1990, 1, 1), date(2024, 7, 10))


def test_without_a_key_alpaca_has_coins_and_no_stocks(tmp_path):
    with provider("alpaca-crypto", tmp_path) as asked:
        assert asked.source.bars("EDGEUSD", START, END).height == TRUTH.height
        with pytest.raises(NotOffered, match="ALPACA_KEY_ID"):
            asked.source.bars("EDGE", START, END)
    assert all(path.startswith("/v1beta3/crypto/us/bars") for path in asked.wire.asked)


def test_a_refusal_is_invalid_input_and_silence_is_unavailable(exchange, tmp_path):
    waits: list[float] = []
    with pytest.raises(InvalidInput, match=r"403.*ALPACA_KEY_ID"):
        alpaca(exchange, key="wrong", pause=waits.append).bars("EDGE", START, END)
    assert waits == []
    with pytest.raises(Unavailable, match="5 times in a row"):
        alpaca(f"http://127.0.0.1:{free_port()}", pause=waits.append).bars("EDGE", START, END)
    assert len(waits) == 4
    (tmp_path / "EDGE.csv").write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(InvalidInput, match=r"EDGE\.csv"):
        FileSource(tmp_path / "EDGE.csv").bars("EDGE", EARLIEST, END)


def test_a_page_that_fails_is_asked_again_and_not_the_pages_before_it():
    with serving(create_app(ExchangeSettings(page_limit=300, storm_every=4, storm_length=1, fail_every=3))) as http:
        assert_frame_equal(alpaca(str(http.base_url)).bars("EDGE", START, END), TRUTH)
        asked = http.get("/healthz").json()["requests"]
    pages, failures = -(-TRUTH.height // 300), asked // 3 + asked // 4
    assert asked <= pages + failures
