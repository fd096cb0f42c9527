"""Bars from Alpaca, or from whatever speaks its protocol (the simulated exchange), through the real alpaca-py client.

Importing this module imports alpaca-py, and pandas with it: do so where bars are fetched and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import requests
from alpaca.common.rest import RESTClient
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.historical.crypto import CryptoHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import CryptoBarsRequest, StockBarsRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from pydantic_core import from_json

from ingestion_service.domain.columns import read_times
from ingestion_service.domain.drift import Drift, Field, FieldWatch, documented
from ingestion_service.domain.sources import EARLIEST, RAW_SCHEMA, NotOffered
from ingestion_service.domain.symbols import crypto_pair
from ingestion_service.store.addresses import is_local
from ingestion_service.store.alpaca_actions import fetch_actions
from ingestion_service.store.paging import Paging, paging_of_minutes
from ingestion_service.store.patience import NoAnswer, Patience, Reply, reading

#: Seconds to connect, and between two bytes of an answer.
_TIMEOUT = (5.0, 60.0)
_FIELDS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
_DOCUMENTED = documented(numbers=[*_FIELDS.values(), "n", "vw"], texts=["t"])
_PAGE = {"bars": Field(type="object"), "next_page_token": Field(type="string", optional=True)}
#: The feed of all exchanges is not for everybody until it is a quarter of an hour old; asked for a little less.
_RECENT, _RECENT_WORDS = timedelta(minutes=16), "recent SIP"
_SET_KEYS = "set ALPACA_KEY_ID, ALPACA_SECRET_KEY"
_BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class AlpacaSource:
    """Minute bars of US stocks, raw (unadjusted), and of crypto pairs, page by page.

    A page that fails is asked for again, not the lot. Crypto needs no key; without one, stocks are not offered.
    """

    def __init__(
        self, *, name: str, base_url: str, key_id: str, secret_key: str, feed: str, patience: Patience
    ) -> None:
        self._name = name
        self._feed = feed.lower()
        self._base_url, self._keys = base_url, (key_id, secret_key) if key_id and secret_key else None
        self._patience = patience
        self._watch = FieldWatch(name, _DOCUMENTED, patience.without_secrets)
        self._pages = FieldWatch(name, _PAGE, patience.without_secrets)
        self._stocks: _Stocks | None = None
        self._crypto: _Crypto | None = None
        self._corporate: _Corporate | None = None

    @property
    def name(self) -> str:
        return self._name

    def earliest(self) -> datetime:
        return EARLIEST

    def drift(self) -> list[Drift]:
        return [*self._watch.take(), *self._pages.take()]

    def bars(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        return self.bars_of([symbol], start, end)[symbol]

    def bars_of(self, symbols: Sequence[str], start: datetime, end: datetime) -> dict[str, pl.DataFrame]:
        """Return `bars` of each symbol, asked for together: stocks share their pages, and so do coins.

        Of the newest minutes, what the plan does not cover yet is left out: they settle later than that.
        """
        try:
            return self._bars_of(symbols, start, end)
        except NotOffered as error:
            covered_until = self._patience.clock.now() - _RECENT
            if _RECENT_WORDS not in str(error) or not start < covered_until < end:
                raise
            return self._bars_of(symbols, start, covered_until)

    def _bars_of(self, symbols: Sequence[str], start: datetime, end: datetime) -> dict[str, pl.DataFrame]:
        pairs = {symbol: "/".join(pair) for symbol in symbols if (pair := crypto_pair(symbol))}
        stocks = [symbol for symbol in symbols if symbol not in pairs]
        found: dict[str, Sequence[Mapping[str, Any]]] = {}
        span = {"timeframe": TimeFrame(1, TimeFrameUnit("Min")), "start": start, "end": _inclusive(end)}
        with reading(self._name):
            if stocks:
                client = self._stock_client()
                client.paging = paging_of_minutes(self._name, len(stocks), start, end)
                feed = DataFeed(self._feed)
                asked = StockBarsRequest(symbol_or_symbols=stocks, adjustment=Adjustment.RAW, feed=feed, **span)
                found |= _by_symbol(client.get_stock_bars(asked))
            if pairs:
                client = self._crypto_client()
                client.paging = paging_of_minutes(self._name, len(pairs), start, end)
                coins = CryptoBarsRequest(symbol_or_symbols=[*pairs.values()], **span)
                answer = _by_symbol(client.get_crypto_bars(coins))
                found |= {symbol: answer.get(theirs, []) for symbol, theirs in pairs.items()}
            return self._framed({symbol: found.get(symbol) or [] for symbol in symbols})

    def actions(self, symbol: str, start: date, end: date) -> pl.DataFrame:
        if self._keys is None:
            raise NotOffered(f"{self._name} tells corporate actions only to those with a key: {_SET_KEYS}")
        if self._corporate is None:
            self._corporate = _Corporate(*self._keys, raw_data=True, url_override=self._base_url)
            _prepare(self._corporate, self._base_url, self._patience)
        return fetch_actions(self._corporate, self._name, symbol, start, end)

    def _stock_client(self) -> _Stocks:
        if self._keys is None:
            raise NotOffered(f"{self._name} has stocks only for those with a key: {_SET_KEYS}")
        if self._stocks is None:
            self._stocks = _Stocks(*self._keys, raw_data=True, url_override=self._base_url)
            _prepare(self._stocks, self._base_url, self._patience, self._pages)
        return self._stocks

    def _crypto_client(self) -> _Crypto:
        if self._crypto is None:
            self._crypto = _Crypto(*(self._keys or (None, None)), raw_data=True, url_override=self._base_url)
            _prepare(self._crypto, self._base_url, self._patience, self._pages)
        return self._crypto

    def _framed(self, answers: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, pl.DataFrame]:
        """Return each symbol's rows as a frame; all are read in one go, since many small frames cost more than one."""
        rows = [row for answer in answers.values() for row in answer]
        self._watch.look(rows)
        whole, begin, frames = _frame(rows), 0, dict[str, pl.DataFrame]()
        for symbol, answer in answers.items():
            frames[symbol] = whole.slice(begin, len(answer))
            begin += len(answer)
        return frames


class _Patient(RESTClient):
    """alpaca-py's clients with our patience: their own waits three seconds whatever the server says."""

    patience: Patience
    pages: FieldWatch | None = None
    #: of the question that is being asked
    paging: Paging

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> dict[str, Any]:
        """Do one request of alpaca-py's, as often as the policy allows. Its own count `retry` is not used."""
        del retry

        def once() -> Reply[Any]:
            try:
                response = self._session.request(method, url, timeout=_TIMEOUT, **opts)
            except _BROKEN as error:
                raise NoAnswer(f"no answer ({type(error).__name__})") from error
            try:
                value = from_json(response.content) if response.ok else None  # in less than half of json's time
            except ValueError as error:
                raise NoAnswer("an answer that is not JSON") from error
            return Reply(response.status_code, response.headers, value, lambda: _message(response))

        page = self.patience.ask(once).value
        if self.pages is not None:
            self.pages.look([page] if isinstance(page, dict) else [{}])
            self.paging.look(_rows_of(page), page.get("next_page_token") if isinstance(page, dict) else None)
        return page


class _Stocks(_Patient, StockHistoricalDataClient): ...


class _Crypto(_Patient, CryptoHistoricalDataClient): ...


class _Corporate(_Patient, CorporateActionsClient): ...


def _prepare(client: _Patient, base_url: str, patience: Patience, pages: FieldWatch | None = None) -> None:
    client.patience, client.pages = patience, pages
    client._session.trust_env = not is_local(base_url)  # noqa: SLF001


def _inclusive(end: datetime) -> datetime:
    return end - timedelta(microseconds=1)  # theirs is


def _by_symbol(answer: object) -> dict[str, Any]:
    return answer if isinstance(answer, dict) else {}


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text or str(response.reason)


def _rows_of(page: object) -> int:
    bars = page.get("bars") if isinstance(page, dict) else None
    return sum(len(rows) for rows in bars.values() if isinstance(rows, list)) if isinstance(bars, dict) else 0


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return raw JSON bars as columns; a field that is absent or of another type is null, for the checks to find."""
    columns = {ours: pl.Series([row.get(theirs) for row in rows], strict=False) for ours, theirs in _FIELDS.items()}
    stamps = pl.Series([row.get("t") for row in rows], dtype=pl.String, strict=False)
    ts = stamps.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC", strict=False)
    if ts.null_count() > stamps.null_count():  # with an offset in place of the Z, or nothing that can be read
        ts = ts.zip_with(ts.is_not_null(), read_times(stamps, "UTC"))
    return pl.DataFrame(
        {
            "ts": ts,
            **{name: values.cast(pl.Float64, strict=False) for name, values in columns.items()},
        },
        schema=RAW_SCHEMA,
    )
