"""The web server: Alpaca's historical stock bars, as `alpaca-py` asks for them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from shared.clock import SystemClock
from simulated_exchange import pages, stream
from simulated_exchange.faults import Faults
from simulated_exchange.limits import Gate, Refused
from simulated_exchange.market import Market
from simulated_exchange.replay import ReplayMarket
from simulated_exchange.settings import ExchangeSettings
from simulated_exchange.timeline import Timeline, minute_of
from simulated_exchange.universe import EDGE_MINUTES, FIRST_YEAR, LAST_YEAR, LISTINGS, PLANTED_EDGE

ABOUT = f"""
A synthetic market behind Alpaca's market-data REST protocol, the same on every machine for the same seed.
Years {FIRST_YEAR} to {LAST_YEAR}, regular New York hours, half days and holidays included.

{chr(10).join(f"* **{listing.symbol}** {listing.about}" for listing in LISTINGS.values())}

The planted edge of EDGE: in the first {EDGE_MINUTES} minutes of a session the next minute's return has the mean
`{PLANTED_EDGE} x sigma x clip(-x, -2, 2)`, where x is the last 15-minute return over its standard deviation.
"""


class BarsQuery(BaseModel):
    """The query string of both routes; `adjustment`, `feed`, `asof` and `currency` change nothing here."""

    symbols: str = ""
    timeframe: str = "1Min"
    start: str = f"{FIRST_YEAR}-01-01"
    end: str = f"{LAST_YEAR}-12-31T23:59:59Z"
    limit: int = Field(default=1_000, ge=1, le=10_000)
    page_token: str | None = None
    adjustment: str = "raw"
    feed: str = "sip"
    asof: str | None = None
    currency: str = "USD"
    sort: Literal["asc", "desc"] = "asc"

    def query(self, symbols: str, page_limit: int) -> pages.Query:
        """Return the checked query, or raise Refused the way Alpaca does."""
        named = tuple(symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip())
        if not named:
            raise Refused(400, "symbols is required")
        if self.timeframe != "1Min":
            raise Refused(400, f"invalid timeframe: {self.timeframe}: this exchange serves 1Min")
        start, end = pages.instant(self.start, "start"), pages.instant(self.end, "end")
        if end < start:
            raise Refused(400, "end should not be before start")
        return pages.Query(
            symbols=named, start=start, end=end, limit=min(self.limit, page_limit), newest_first=self.sort == "desc"
        )


def admit(request: Request) -> Mapping[str, str]:
    """Let the request through the gate; return the rate-limit headers of its answer."""
    return request.app.state.gate.admit(
        request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
    )


def find_page(request: Request, query: BarsQuery, symbols: str) -> tuple[dict[str, str], str | None]:
    """Return one page of `symbols`: bars as JSON text by symbol, and the token of the next."""
    state = request.app.state
    asked = query.query(symbols, state.settings.page_limit)
    # a bar is there when its minute is over
    asked = replace(asked, end=min(asked.end, minute_of(state.timeline.now()) - timedelta(microseconds=1)))
    found = pages.page(state.market, asked, state.faults.true_token(query.page_token))
    return state.faults.spoil(*found, query.page_token)


Headers = Annotated[Mapping[str, str], Depends(admit)]
Asked = Annotated[BarsQuery, Depends()]
router = APIRouter()


@router.get("/healthz")
def check_health(request: Request) -> dict[str, object]:
    state = request.app.state
    return {
        "status": "ok",
        "pid": os.getpid(),
        "seed": state.settings.seed,
        "requests": state.gate.requests,
        "pages": state.faults.pages,
        "spoiled": state.faults.spoiled,
        "streams": state.streams,
    }


@router.get("/v2/clock")
def tell_time(request: Request) -> dict[str, object]:
    """Tell the exchange's time, as Alpaca's trading API does, and how fast it runs."""
    timeline: Timeline = request.app.state.timeline
    return {"timestamp": timeline.now().isoformat(), "speed": timeline.speed}


@router.get("/v2/stocks/bars")
def list_bars(request: Request, headers: Headers, asked: Asked) -> Response:
    bars, token = find_page(request, asked, asked.symbols)
    by_symbol = ",".join(f"{json.dumps(symbol)}:{text}" for symbol, text in bars.items())
    text = f'{{"bars":{{{by_symbol}}},"next_page_token":{json.dumps(token)}}}'
    return request.app.state.faults.sent(text, dict(headers))


@router.get("/v2/stocks/{symbol}/bars")
def list_bars_of_symbol(request: Request, symbol: str, headers: Headers, asked: Asked) -> Response:
    bars, token = find_page(request, asked, symbol)
    name, text = json.dumps(symbol.upper()), bars.get(symbol.upper(), "null")
    text = f'{{"bars":{text},"next_page_token":{json.dumps(token)},"symbol":{name}}}'
    return request.app.state.faults.sent(text, dict(headers))


def create_app(settings: ExchangeSettings | None = None, replay: ReplayMarket | None = None) -> FastAPI:
    """Return the exchange; nothing is generated before the first request for a symbol's year.

    With `replay`, its bars are the market and its timeline the time.
    """
    settings = settings or ExchangeSettings()
    app = FastAPI(title="Simulated exchange", description=ABOUT)
    app.state.settings, app.state.gate, app.state.streams = settings, Gate(settings), 0
    app.state.faults = Faults(settings)
    app.state.market = replay or Market(settings.seed)
    app.state.market_symbols = list(replay.played if replay else LISTINGS)
    app.state.timeline = replay.timeline if replay else Timeline.present(SystemClock())
    app.include_router(router)
    app.include_router(stream.router)
    app.add_exception_handler(Refused, _refuse)
    return app


def _refuse(_request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)  # noqa: S101 - registered for nothing else
    return JSONResponse({"message": str(refused)}, status_code=refused.status, headers=refused.headers)
