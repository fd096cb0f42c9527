"""Bars from Yahoo through yfinance: minutes of the last 30 days, in windows of at most 7 days; days of decades.

Yahoo's prices are adjusted for splits, so bars from before a split inside those 30 days come adjusted, and are put back
to what was traded; no dividend touches them. Importing this module imports yfinance and pandas: do so where bars are
fetched and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import polars as pl
import yfinance
from curl_cffi import requests as curl
from yfinance.data import YfData
from yfinance.exceptions import YFException, YFPricesMissingError, YFRateLimitError

from ingestion_service.domain.actions import Adjustment, adjusted
from ingestion_service.domain.drift import Drift, Field, FieldWatch
from ingestion_service.domain.sources import RAW_SCHEMA, NotOffered
from ingestion_service.domain.symbols import crypto_pair, is_index, yahoo_ticker
from ingestion_service.domain.told_actions import as_paid, told_actions
from ingestion_service.store.addresses import is_local
from ingestion_service.store.patience import NoAnswer, Patience, Reply
from shared.clock import Clock
from shared.contracts.datasets import TS
from shared.contracts.splits import EXCHANGE_ZONE, trading_days
from shared.errors import Unavailable

if TYPE_CHECKING:
    import pandas as pd

#: Minutes are kept for 30 days; a little less is asked for, so that the oldest are not gone when the answer is made.
REACH = timedelta(days=29, hours=12)
#: The longest span of minutes one request may ask for is 8 days.
_WINDOW = timedelta(days=7)
_NEW_YORK = ZoneInfo(EXCHANGE_ZONE)
#: The time of its ex-date that a split is given: the open.
_SPLITS_AT = time(9, 30)
#: The one path whose answers are bars; the others fetch cookies, and their refusals are the library's business.
_CHART = "/v8/finance/chart/"
_COLUMNS = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}
_DOCUMENTED = {"timestamp": Field(type="array", optional=True), "meta": Field(type="object")} | {
    "indicators": Field(type="object"),
    "events": Field(type="object", optional=True),
}
_QUOTE = {name.lower(): Field(type="array") for name in _COLUMNS.values()}


class YahooSource:
    """Minute bars of stocks, indices and crypto pairs, extended hours included."""

    name = "yahoo"

    def __init__(self, *, base_url: str, cache: Path, clock: Clock, patience: Patience) -> None:
        """Keep yfinance's small caches (time zones, cookies) in the folder `cache`."""
        self._clock = clock
        self._charts = FieldWatch(self.name, _DOCUMENTED)
        self._quotes = FieldWatch(self.name, _QUOTE)
        self._session = _Session(base_url, patience, self._look)
        #: ex-date and new shares for one old, as answers told since the last question about bars began
        self._splits = dict[date, float]()
        cache.mkdir(parents=True, exist_ok=True)
        yfinance.set_tz_cache_location(str(cache))
        # errors as exceptions: by default it logs them and answers with no rows
        yfinance.config.debug.hide_exceptions = False

    def earliest(self) -> datetime:
        return self._clock.now() - REACH

    def drift(self) -> list[Drift]:
        return [*self._charts.take(), *self._quotes.take()]

    def bars(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        ticker = yfinance.Ticker(yahoo_ticker(symbol), session=self._session)
        # it keeps the answers to questions about the past for as long as the process lives, also when asked again
        YfData.cache_get.cache_clear()
        self._splits = {}
        frames = [self._window(ticker, begin, until) for begin, until in _windows(max(start, self.earliest()), end)]
        found = pl.concat(frames) if frames else RAW_SCHEMA.to_frame()
        found = self._as_traded(symbol, ticker, found.filter(pl.col("ts").is_between(start, end, closed="left")), end)
        # where they have no volume they say 0
        return found.with_columns(volume=pl.lit(None, dtype=pl.Float64)) if is_index(symbol) else found

    def days(self, symbol: str, start: date, end: date) -> pl.DataFrame:
        """Return daily bars, all in one question; it reaches to today, for the answer tells the splits of its span."""
        ticker = yfinance.Ticker(yahoo_ticker(symbol), session=self._session)
        YfData.cache_get.cache_clear()
        self._splits = {}
        tomorrow = self._clock.now().date() + timedelta(days=1)
        history = self._history(ticker, start=start, end=max(end, tomorrow), interval="1d", actions=False)
        if history is None or history.empty:
            return RAW_SCHEMA.to_frame()
        # its index are midnights of the exchange
        days = pl.Series([stamp.date() for stamp in history.index], dtype=pl.Date)
        stamps = days.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        found = self._unsplit(symbol, _frame(history).with_columns(ts=stamps), days)
        found = found.filter(days.is_between(start, end, closed="left"))
        return found.with_columns(volume=pl.lit(None, dtype=pl.Float64)) if is_index(symbol) else found

    def actions(self, symbol: str, start: date, end: date) -> pl.DataFrame:
        """Return splits and dividends. Yahoo adjusts dividends for later splits, so all of those are asked for too."""
        ticker = yfinance.Ticker(yahoo_ticker(symbol), session=self._session)
        YfData.cache_get.cache_clear()
        tomorrow = self._clock.now().date() + timedelta(days=1)
        days = self._history(ticker, start=start, end=max(end, tomorrow), interval="1d", actions=True)
        if days is None:
            return told_actions(symbol, self.name)
        splits, dividends = _dated(days, "Stock Splits"), _dated(days, "Dividends")
        return told_actions(symbol, self.name, splits=splits, dividends=as_paid(dividends, splits)).filter(
            pl.col("ex_date").is_between(start, end, closed="left")
        )

    def _as_traded(self, symbol: str, ticker: yfinance.Ticker, bars: pl.DataFrame, end: datetime) -> pl.DataFrame:
        """Undo splits. Answers tell those of their own span; of what came after `end` one more question does."""
        if bars.is_empty() or is_index(symbol) or crypto_pair(symbol):
            return bars
        days, today = trading_days(bars["ts"]), self._clock.now().astimezone(_NEW_YORK).date()
        if end < datetime.combine(today, _SPLITS_AT, _NEW_YORK):
            self._history(ticker, start=end.date(), end=today + timedelta(days=1), interval="1d", actions=True)
        return self._unsplit(symbol, bars, days)

    def _unsplit(self, symbol: str, bars: pl.DataFrame, days: pl.Series) -> pl.DataFrame:
        """Undo the splits that answers told; `days` are the bars' trading days."""
        inverse = told_actions(symbol, self.name, splits=[(day, 1 / ratio) for day, ratio in self._splits.items()])
        return adjusted(bars, days, inverse, Adjustment.SPLIT)

    def _window(self, ticker: yfinance.Ticker, start: datetime, end: datetime) -> pl.DataFrame:
        history = self._history(ticker, start=start, end=end, interval="1m", prepost=True, actions=False)
        return RAW_SCHEMA.to_frame() if history is None else _frame(history)

    def _history(self, ticker: yfinance.Ticker, **asked: Any) -> pd.DataFrame | None:  # noqa: ANN401 - its arguments
        """Return what yfinance makes of Yahoo's answer, None when there is nothing of the span."""
        try:
            return ticker.history(auto_adjust=False, timeout=60, **asked)
        except (_NothingThere, YFPricesMissingError):
            return None
        except YFRateLimitError as error:
            raise Unavailable("Yahoo says: too many requests; try again later") from error
        except (YFException, KeyError, TypeError, ValueError) as error:
            # what the library does when an answer is not what it expects
            raise Unavailable(f"Yahoo's answer could not be read ({type(error).__name__}: {error})") from error

    def _look(self, answer: Any) -> None:  # noqa: ANN401 - JSON
        try:
            results = answer["chart"]["result"] or []
            self._charts.look(results)
            self._quotes.look([quote for result in results for quote in result["indicators"]["quote"] if quote])
            told = [split for result in results for split in (result.get("events") or {}).get("splits", {}).values()]
            for split in told:
                ex_date = datetime.fromtimestamp(split["date"], _NEW_YORK).date()
                self._splits[ex_date] = split["numerator"] / split["denominator"]
        except (KeyError, TypeError, IndexError, AttributeError, ZeroDivisionError):
            self._charts.look([{}])


class _Session(curl.Session):
    """The session yfinance is handed: its own kind, asking `base_url` for what goes to Yahoo, with our patience."""

    def __init__(self, base_url: str, patience: Patience, look: Any) -> None:  # noqa: ANN401 - a callable of JSON
        self._base, self._patience, self._look = urlsplit(base_url), patience, look
        super().__init__(impersonate="chrome", trust_env=not is_local(base_url))

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - curl_cffi's types
        parts = urlsplit(url)
        if not parts.path.startswith(_CHART):
            return self._request(method, url, *args, **kwargs)

        def once() -> Reply[Any]:
            try:
                answer = self._request(method, url, *args, **kwargs)
                if answer.status_code < 400:
                    self._look(answer.json())
            except curl.exceptions.RequestException as error:
                raise NoAnswer(f"no answer ({type(error).__name__})") from error
            except ValueError as error:
                raise NoAnswer("an answer that is not JSON") from error
            _raise_reason(answer)
            headers = {name: value or "" for name, value in answer.headers.items()}
            return Reply(answer.status_code, headers, answer, lambda: answer.text)

        return self._patience.ask(once).value

    def _request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - curl_cffi's types
        parts = urlsplit(url)
        if (parts.hostname or "").endswith("yahoo.com") and self._base.netloc:
            url = urlunsplit((self._base.scheme, self._base.netloc, parts.path, parts.query, ""))
        return super().request(method, url, *args, **kwargs)


class _NothingThere(Exception):
    """Yahoo knows the symbol and has nothing of the span."""


def _raise_reason(answer: Any) -> None:  # noqa: ANN401 - curl_cffi's type
    """Raise what Yahoo says of a question that it will not answer; the library would ask again with other cookies."""
    if answer.status_code not in (400, 404, 422):
        return
    try:
        reason = str(answer.json()["chart"]["error"]["description"])
    except (ValueError, KeyError, TypeError):
        return
    if reason.startswith("Data doesn't exist"):
        raise _NothingThere
    raise NotOffered(f"Yahoo says: {reason}")


def _windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        until = min(start + _WINDOW, end)
        yield start, until
        start = until


def _dated(days: pd.DataFrame, column: str) -> list[tuple[date, float]]:
    """Return the days of which the column says something, it is 0 elsewhere."""
    stamps, values = list(days.index), days[column].to_numpy(dtype=float).tolist()
    return [(stamp.date(), value) for stamp, value in zip(stamps, values, strict=True) if value]


def _frame(history: pd.DataFrame) -> pl.DataFrame:
    if history.empty:
        return RAW_SCHEMA.to_frame()
    stamps = history.index.tz_convert("UTC").as_unit("us").asi8  # pyright: ignore[reportAttributeAccessIssue] - a DatetimeIndex
    return pl.DataFrame(
        {
            "ts": pl.Series(stamps).cast(TS),
            **{
                ours: pl.Series(history[theirs].to_numpy(dtype=float), nan_to_null=True)
                for ours, theirs in _COLUMNS.items()
            },
        },
        schema=RAW_SCHEMA,
    )
