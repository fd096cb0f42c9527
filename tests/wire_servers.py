"""Local servers that speak the wire protocols of Massive, Yahoo and Alpaca's crypto, serving given bars.

Written from the providers' documents and from what their own clients ask for. Each counts what it was asked, and shows
the faults it is told to: a list of answers given, in turn, before the true ones.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

Rows = Mapping[str, pl.DataFrame]
#: Changes a row before it is sent.
Twist = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass
class Wire:
    """What a server serves and what became of it. `bars` by the provider's own symbol, RAW_SCHEMA."""

    bars: Rows
    key: str = "the-key"
    page: int = 300
    faults: list[Response] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    twist: Twist = lambda row: row
    #: daily bars as traded, by the provider's symbol, RAW_SCHEMA; `ts` the session's open
    days: Rows = field(default_factory=dict)
    #: corporate actions by the provider's symbol, in its own form
    actions: Mapping[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fault(self, request: Request) -> Response | None:
        self.asked.append(f"{request.url.path}?{request.url.query}")
        return self.faults.pop(0) if self.faults else None

    def within(self, symbol: str, start: datetime, end: datetime, *, daily: bool = False) -> pl.DataFrame:
        """Return the bars of [start, end], both included."""
        known = (self.days if daily else self.bars).get(symbol)
        return pl.DataFrame() if known is None else known.filter(pl.col("ts").is_between(start, end))


def massive(wire: Wire) -> FastAPI:
    """`/v2/aggs/ticker/{ticker}/range/1/minute/{from}/{to}` and `/v3/reference/{kind}`, pages by `next_url`.

    Kinds are splits and dividends; a page of them holds one.
    """
    app = FastAPI()

    @app.get("/v2/aggs/ticker/{ticker}/range/1/minute/{start}/{end}")
    def aggregates(request: Request, ticker: str, start: int, end: int, cursor: str = "") -> Response:
        if (fault := wire.fault(request)) is not None:
            return fault
        if request.headers.get("authorization") != f"Bearer {wire.key}":
            return JSONResponse({"status": "ERROR", "request_id": "r", "error": "Unknown API Key"}, 401)
        if not cursor and request.query_params.get("adjusted") != "false":
            return JSONResponse({"status": "ERROR", "error": "the project stores raw bars"}, 400)
        frame = wire.within(ticker, _from_ms(start), _from_ms(end))
        rows = [wire.twist(_aggregate(row)) for row in frame[: wire.page].iter_rows(named=True)]
        body: dict[str, Any] = {"ticker": ticker, "status": "OK", "request_id": "r", "queryCount": len(rows)}
        body |= {"resultsCount": len(rows), "adjusted": False}
        if rows:
            body["results"] = rows
        if frame.height > wire.page:
            onward = int(frame["ts"][wire.page].timestamp() * 1000)
            token = base64.urlsafe_b64encode(b"limit=50000&sort=asc").decode()
            # another host than the one that was asked: a client must not follow it there with the key
            body["next_url"] = (
                f"https://api.massive.com/v2/aggs/ticker/{ticker}/range/1/minute/{onward}/{end}?cursor={token}"
            )
        return JSONResponse(body, headers=wire.headers)

    @app.get("/v3/reference/{kind}")
    def actions(request: Request, kind: str, ticker: str, cursor: int = 0) -> Response:
        fault = wire.fault(request)
        return _massive_actions(wire, request, kind, ticker, cursor) if fault is None else fault

    return app


def _massive_actions(wire: Wire, request: Request, kind: str, ticker: str, cursor: int) -> Response:
    dated = {"splits": "execution_date", "dividends": "ex_dividend_date"}[kind]
    first, before = request.query_params[f"{dated}.gte"], request.query_params[f"{dated}.lt"]
    rows = [row for row in wire.actions.get(ticker, {}).get(kind, []) if first <= row[dated] < before]
    body: dict[str, Any] = {"status": "OK", "request_id": "r", "results": rows[cursor : cursor + 1]}
    if len(rows) > cursor + 1:
        onward = f"ticker={ticker}&{dated}.gte={first}&{dated}.lt={before}&cursor={cursor + 1}"
        body["next_url"] = f"https://api.massive.com/v3/reference/{kind}?{onward}"
    return JSONResponse(body)


def _aggregate(row: dict[str, Any]) -> dict[str, Any]:
    said = {"o": row["open"], "c": row["close"], "h": row["high"], "l": row["low"]}
    said["t"] = int(row["ts"].timestamp() * 1000)
    return said if row["volume"] is None else {"v": row["volume"], "vw": row["close"], **said, "n": 3}


def yahoo(wire: Wire, now: Callable[[], datetime]) -> FastAPI:
    """`/v8/finance/chart/{ticker}`, and the cookie and crumb that the client fetches first.

    Minutes are kept for 30 days and given for at most 8 days a request; what is not known is a 404 with a reason. Days
    are adjusted for all splits until now, and `adjclose` for dividends too.
    """
    app = FastAPI()

    @app.get("/v1/test/getcrumb")
    def crumb() -> Response:
        return PlainTextResponse("crumb")

    @app.get("/v8/finance/chart/{ticker}")
    def chart(request: Request, ticker: str, interval: str, period1: int = 0, period2: int = 0) -> Response:
        if (fault := wire.fault(request)) is not None:
            return fault
        start, end = (datetime.fromtimestamp(s, UTC) for s in (period1, period2))
        if (
            refusal := _chart_refusal(wire, ticker, end - start, now() - start if interval == "1m" else None)
        ) is not None:
            return refusal
        daily = interval == "1d" and ticker in wire.days
        rows = wire.within(ticker, start, end - timedelta(microseconds=1), daily=daily).to_dicts()
        found = _daily_chart(ticker, rows, wire) if daily else _chart(ticker, rows, wire.twist)
        found |= {"events": _told(wire.actions[ticker], period1, period2)} if ticker in wire.actions else {}
        return JSONResponse({"chart": {"result": [found], "error": None}})

    @app.get("/")
    def cookie() -> Response:
        return PlainTextResponse("", 404)

    return app


def _told(events: Mapping[str, Mapping[str, Any]], start: int, end: int) -> dict[str, dict[str, Any]]:
    """Return the events of [start, end), seconds since the epoch."""
    return {kind: {at: one for at, one in said.items() if start <= int(at) < end} for kind, said in events.items()}


def _chart(ticker: str, rows: Sequence[dict[str, Any]], twist: Twist) -> dict[str, Any]:
    index = ticker.startswith("^")
    quote = {name: [row[name] for row in rows] for name in ("open", "high", "low", "close")}
    # an index has no volume, and is said to have one of 0
    quote["volume"] = [0 if index else int(row["volume"]) for row in rows]
    said: dict[str, Any] = {
        "meta": {
            "currency": "USD",
            "symbol": ticker,
            "exchangeTimezoneName": "America/New_York",
            "instrumentType": "INDEX" if index else "EQUITY",
            "dataGranularity": "1m",
            "validRanges": ["1d", "5d"],
            "gmtoffset": -18000,
            "timezone": "EST",
            "regularMarketTime": 0,
            "tradingPeriods": {name: _periods(rows, *hours) for name, hours in _HOURS.items()},
        },
        "indicators": {"quote": [quote if rows else {}]},
    }
    if rows:
        said["timestamp"] = [int(row["ts"].timestamp()) for row in rows]
    return twist(said)


def _daily_chart(ticker: str, rows: Sequence[dict[str, Any]], wire: Wire) -> dict[str, Any]:
    """Return days (as traded) as Yahoo does: prices and volume adjusted for every split it knows, whenever it was."""
    splits = wire.actions.get(ticker, {}).get("splits", {}).values()

    def shares(row: dict[str, Any]) -> float:
        return math.prod(one["numerator"] / one["denominator"] for one in splits if one["date"] > row["ts"].timestamp())

    prices = ("open", "high", "low", "close")
    said = _chart(
        ticker,
        [
            row | {name: row[name] / shares(row) for name in prices} | {"volume": (row["volume"] or 0) * shares(row)}
            for row in rows
        ],
        wire.twist,
    )
    said["meta"] |= {"dataGranularity": "1d"}
    if rows:  # less than any price that was paid, as after many dividends
        said["indicators"]["adjclose"] = [
            {"adjclose": [close * 0.9 for close in said["indicators"]["quote"][0]["close"]]}
        ]
    return said


#: New York's trading day in summer, as hours of UTC.
_HOURS = {"pre": (8.0, 13.5), "regular": (13.5, 20.0), "post": (20.0, 24.0)}


def _periods(rows: Sequence[dict[str, Any]], start: float, end: float) -> list[list[dict[str, Any]]]:
    days = sorted({row["ts"].date() for row in rows})
    midnights = [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day in days]
    common = {"timezone": "EDT", "gmtoffset": -14400}
    return [[{**common, "start": at + int(start * 3600), "end": at + int(end * 3600)}] for at in midnights]


def _chart_refusal(wire: Wire, ticker: str, length: timedelta, age: timedelta | None) -> Response | None:
    """Return what Yahoo says of a question it will not answer; `age` is of the oldest minute, None for days."""
    if ticker not in wire.bars and ticker not in wire.days:
        return _chart_error(404, "Not Found", "No data found, symbol may be delisted")
    if age is not None and age > timedelta(days=30):
        return _chart_error(422, "Unprocessable Entity", "The requested range must be within the last 30 days.")
    if age is not None and length > timedelta(days=8):
        return _chart_error(422, "Unprocessable Entity", "Only 8 days worth of 1m granularity data are allowed")
    return None


def _chart_error(status: int, code: str, why: str) -> Response:
    return JSONResponse({"chart": {"result": None, "error": {"code": code, "description": why}}}, status)


def alpaca_crypto(wire: Wire) -> FastAPI:
    """`/v1beta3/crypto/us/bars`, which needs no key; pages by `next_page_token`. And `/v1/corporate-actions`."""
    app = FastAPI()

    @app.get("/v1/corporate-actions")
    def actions(request: Request, symbols: str, types: str, start: date, end: date) -> Response:
        if (fault := wire.fault(request)) is not None:
            return fault
        found: dict[str, list[dict[str, Any]]] = {}
        for kind, row in wire.actions.get(symbols, []):
            if kind in types and start <= date.fromisoformat(row.get("ex_date", row["process_date"])) <= end:
                found.setdefault(f"{kind}s", []).append(row)
        return JSONResponse({"corporate_actions": found, "next_page_token": None})

    @app.get("/v1beta3/crypto/us/bars")
    def bars(request: Request, symbols: str, start: str, end: str, page_token: str = "") -> Response:
        if (fault := wire.fault(request)) is not None:
            return fault
        wanted = [(name, wire.within(name, _moment(start), _moment(end))) for name in sorted(symbols.split(","))]
        rows = [(name, row) for name, frame in wanted for row in frame.iter_rows(named=True)]
        begin = int(base64.urlsafe_b64decode(page_token)) if page_token else 0
        found: dict[str, list[dict[str, Any]]] = {}
        for name, row in rows[begin : begin + wire.page]:
            found.setdefault(name, []).append(wire.twist(_coin(row)))
        more = begin + wire.page < len(rows)
        token = base64.urlsafe_b64encode(str(begin + wire.page).encode()).decode() if more else None
        return Response(json.dumps({"bars": found, "next_page_token": token}), media_type="application/json")

    return app


def _coin(row: dict[str, Any]) -> dict[str, Any]:
    said = {"t": row["ts"].strftime("%Y-%m-%dT%H:%M:%SZ"), "o": row["open"], "h": row["high"], "l": row["low"]}
    return said | {"c": row["close"], "v": row["volume"], "n": 2, "vw": row["close"]}


def _from_ms(number: int) -> datetime:
    return datetime.fromtimestamp(number / 1000, UTC)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
