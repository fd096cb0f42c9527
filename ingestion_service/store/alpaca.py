"""Bars from Alpaca, or from whatever speaks its protocol (the simulated exchange), through the real alpaca-py client.

Importing this module imports alpaca-py, and pandas with it: do so where bars are fetched and nowhere else.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import requests
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.store.retry import RetryPolicy
from shared.clock import Clock
from shared.errors import InvalidInput, Unavailable

_log = logging.getLogger(__name__)

#: Seconds to connect, and between two bytes of an answer.
_TIMEOUT = (5.0, 60.0)
_FIELDS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}


class AlpacaSource:
    """Minute bars of US stocks, raw (unadjusted), page by page; a page that fails is asked for again, not the lot."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        key_id: str,
        secret_key: str,
        feed: str,
        clock: Clock,
        policy: RetryPolicy | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = name
        self._feed = _feed(feed)
        self._client = _PatientClient(key_id, secret_key, base_url, clock, policy or RetryPolicy(), pause)

    @property
    def name(self) -> str:
        return self._name

    def bars(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        asked = StockBarsRequest(
            symbol_or_symbols=[symbol],
            timeframe=TimeFrame(1, TimeFrameUnit("Min")),
            start=start,
            end=end - timedelta(microseconds=1),  # theirs is inclusive
            adjustment=Adjustment.RAW,
            feed=self._feed,
        )
        answer = self._client.get_stock_bars(asked)
        rows: list[dict[str, Any]] = (answer.get(symbol) or []) if isinstance(answer, dict) else []
        return _frame(rows)


class _PatientClient(StockHistoricalDataClient):
    """alpaca-py's client with our patience: its own waits three seconds whatever the server says."""

    def __init__(
        self,
        key_id: str,
        secret_key: str,
        base_url: str,
        clock: Clock,
        policy: RetryPolicy,
        pause: Callable[[float], None],
    ) -> None:
        super().__init__(key_id, secret_key, raw_data=True, url_override=base_url)
        self._base = base_url
        self._clock, self._policy, self._pause = clock, policy, pause
        self._chance = random.Random()
        # an HTTP proxy of the environment is not for what runs on this machine
        self._session.trust_env = urlsplit(base_url).hostname not in ("127.0.0.1", "localhost", "::1")

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> dict[str, Any]:
        """Do one request of alpaca-py's, as often as the policy allows. Its own count `retry` is not used."""
        del retry
        trouble = ""
        for attempt in range(1, self._policy.attempts + 1):
            headers: Mapping[str, str] = {}
            try:
                response = self._session.request(method, url, timeout=_TIMEOUT, **opts)
                if response.ok:
                    return response.json()
                trouble, headers = self._trouble(response), response.headers
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                trouble = f"no answer ({type(error).__name__})"
            except requests.exceptions.JSONDecodeError:
                trouble = "an answer that is not JSON"
            if attempt < self._policy.attempts:
                wait = self._policy.wait_s(attempt, headers, self._clock.now(), self._chance)
                _log.info(
                    "provider asked again later",
                    extra={
                        "action": "provider_retry",
                        "trouble": trouble,
                        "attempt": attempt,
                        "wait_s": round(wait, 2),
                    },
                )
                self._pause(wait)
        raise Unavailable(
            f"{self._base}: {trouble}, {self._policy.attempts} times in a row: check ALPACA_API_BASE_URL "
            "and that what it names runs; what was fetched so far is kept"
        )

    def _trouble(self, response: requests.Response) -> str:
        """Return what is wrong when asking again may help; raise InvalidInput when it cannot."""
        said = _message(response)
        if response.status_code in (401, 403):
            raise InvalidInput(
                f"{self._base} refused the credentials or the feed ({response.status_code}: {said}): "
                "check ALPACA_KEY_ID, ALPACA_SECRET_KEY and ALPACA_FEED"
            )
        if not self._policy.retries(response.status_code):
            raise InvalidInput(f"{self._base} refused the request ({response.status_code}: {said})")
        return f"{response.status_code} {said}"


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return response.text[:200] or response.reason


def _feed(text: str) -> DataFeed:
    try:
        return DataFeed(text.lower())
    except ValueError as error:
        raise InvalidInput(f"ALPACA_FEED={text!r}: use one of {', '.join(feed.value for feed in DataFeed)}") from error


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return raw JSON bars as columns; a field that is absent or of another type is null, for the checks to find."""
    columns = {ours: pl.Series([row.get(theirs) for row in rows], strict=False) for ours, theirs in _FIELDS.items()}
    stamps = pl.Series([row.get("t") for row in rows], dtype=pl.String, strict=False)
    return pl.DataFrame(
        {
            "ts": stamps.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC", strict=False),
            **{name: values.cast(pl.Float64, strict=False) for name, values in columns.items()},
        },
        schema=RAW_SCHEMA,
    )
