"""The exchange over HTTP, as Alpaca's clients and curl see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from shared.testing.servers import serving
from simulated_exchange.app import create_app
from simulated_exchange.market import Market
from simulated_exchange.settings import ExchangeSettings
from simulated_exchange.universe import LISTINGS, PLANTED_EDGE

KEYS = {"APCA-API-KEY-ID": "simulated", "APCA-API-SECRET-KEY": "simulated-secret"}
DAY = {"start": "2024-07-03", "end": "2024-07-03T23:59:59Z"}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with serving(create_app(ExchangeSettings())) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "query", "status", "said"),
    [
        ({}, {"symbols": "EDGE"}, 401, "authentication required"),
        (KEYS | {"APCA-API-SECRET-KEY": "guess"}, {"symbols": "EDGE"}, 403, "forbidden"),
        (KEYS, {}, 400, "symbols is required"),
        (KEYS, {"symbols": "EDGE", "timeframe": "1Hour"}, 400, "invalid timeframe"),
        (KEYS, {"symbols": "EDGE", "start": "July"}, 400, "error parsing 'July'"),
        (KEYS, {"symbols": "EDGE", "start": "2024-07-03", "end": "2024-07-02"}, 400, "end should not be before start"),
        (KEYS, {"symbols": "EDGE", "page_token": "x"}, 400, "invalid page_token"),
    ],
)
def test_a_refusal_has_alpacas_shape(http, headers, query, status, said):
    answer = http.get("/v2/stocks/bars", params=query, headers=headers)
    assert answer.status_code == status
    assert said in answer.json()["message"]


def test_a_half_day_of_two_symbols(http):
    answer = http.get("/v2/stocks/bars", params={"symbols": "QMKT,EDGE,NOPE", "limit": 10_000, **DAY}, headers=KEYS)
    body = answer.json()
    assert {symbol: len(bars) for symbol, bars in body["bars"].items()} == {"EDGE": 210, "QMKT": 210}
    assert body["next_page_token"] is None
    assert set(body["bars"]["EDGE"][0]) == {"t", "o", "h", "l", "c", "v", "n", "vw"}
    assert int(answer.headers["X-RateLimit-Remaining"]) < int(answer.headers["X-RateLimit-Limit"])
    assert answer.headers["X-RateLimit-Reset"].isdigit()


def test_the_route_of_one_symbol(http):
    query = {"limit": 3, **DAY}
    first = http.get("/v2/stocks/edge/bars", params=query, headers=KEYS).json()
    second = http.get(
        "/v2/stocks/edge/bars", params={**query, "page_token": first["next_page_token"]}, headers=KEYS
    ).json()
    assert first["symbol"] == "EDGE"
    assert [bar["t"][11:16] for bar in first["bars"] + second["bars"]] == [f"13:{30 + i}" for i in range(6)]
    unknown = http.get("/v2/stocks/NOPE/bars", params=query, headers=KEYS).json()
    assert (unknown["bars"], unknown["next_page_token"]) == (None, None)


def test_alpacas_own_client_reads_bars_as_its_models(http):
    from alpaca.data.historical.stock import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest
    from alpaca.data.timeframe import TimeFrame

    client = StockHistoricalDataClient("simulated", "simulated-secret", url_override=str(http.base_url))
    start, end = datetime(2024, 7, 3, tzinfo=UTC), datetime(2024, 7, 4, tzinfo=UTC)
    asked = StockBarsRequest(symbol_or_symbols="EDGE", timeframe=TimeFrame.Minute, start=start, end=end)
    bars = client.get_stock_bars(asked).data["EDGE"]
    truth = Market().bars("EDGE", start, end)
    assert [(bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars] == list(
        truth.select("ts", "o", "h", "l", "c", "v").iter_rows()
    )


def test_the_edge_and_the_symbols_are_stated_where_people_look(http):
    about = http.get("/openapi.json").json()["info"]["description"]
    assert f"{PLANTED_EDGE} x sigma x clip(-x, -2, 2)" in about
    assert all(symbol in about for symbol in LISTINGS)
    assert http.get("/healthz").json()["status"] == "ok"
