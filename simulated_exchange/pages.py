"""Cut a request into Alpaca's pages: symbols in order, bars in time order, an opaque token to go on from."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from simulated_exchange.limits import Refused
from simulated_exchange.market import Market

_FIELDS = ("t", "o", "h", "l", "c", "v", "n", "vw")
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Query:
    """One request for bars; `end` is inclusive, as Alpaca's is."""

    symbols: tuple[str, ...]
    start: datetime
    end: datetime
    limit: int
    newest_first: bool = False


def page(market: Market, query: Query, token: str | None) -> tuple[dict[str, str], str | None]:
    """Return the bars of one page as JSON text by symbol, and the token of the next page or None."""
    symbols = sorted(set(query.symbols), reverse=query.newest_first)
    at_symbol, at_time = _decode(token) if token else ("", None)
    room, bars = query.limit, dict[str, str]()
    for symbol in symbols[symbols.index(at_symbol) if at_symbol in symbols else 0 :]:
        frame = _wanted(market, query, symbol, at_time if symbol == at_symbol else None)
        if room == 0 and not frame.is_empty():
            return bars, _encode(symbol, frame["ts"][0])
        part = frame.head(room)
        if not part.is_empty():
            bars[symbol] = part.select(_FIELDS).write_json()
            room -= part.height
        if part.height < frame.height:
            return bars, _encode(symbol, frame["ts"][part.height])
    return bars, None


def _wanted(market: Market, query: Query, symbol: str, at: datetime | None) -> pl.DataFrame:
    if query.newest_first:
        return market.bars(symbol, query.start, (at or query.end) + _TICK).reverse()
    return market.bars(symbol, at or query.start, query.end + _TICK)


def token_of(bars: dict[str, str]) -> str:
    """Return the token of the page that begins as `bars` (JSON text by symbol) does."""
    symbol, text = next(iter(bars.items()))
    return _encode(symbol, datetime.fromisoformat(json.loads(text)[0]["t"]))


def instant(text: str, name: str) -> datetime:
    """Return the moment that RFC 3339 `text` or a date names, in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(400, f"Invalid format for parameter {name}: error parsing '{text}' as RFC3339 or date") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _encode(symbol: str, at: datetime) -> str:
    return base64.urlsafe_b64encode(json.dumps([symbol, at.isoformat()]).encode()).decode()


def _decode(token: str) -> tuple[str, datetime]:
    try:
        symbol, at = json.loads(base64.urlsafe_b64decode(token.encode()))
        return symbol, datetime.fromisoformat(at)
    except (ValueError, TypeError, binascii.Error) as error:
        raise Refused(400, f"invalid page_token: {token}") from error
