"""Bars, splits and dividends from Massive (formerly Polygon) through its own client, `massive`.

Importing this module imports the client: do so where bars are fetched and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlparse

import polars as pl
import urllib3
from massive import RESTClient
from massive.rest.models.request import RequestOptionBuilder

from ingestion_service.domain.drift import Drift, Field, FieldWatch, documented
from ingestion_service.domain.sources import EARLIEST, RAW_SCHEMA
from ingestion_service.domain.symbols import is_index, massive_ticker
from ingestion_service.domain.told_actions import told_actions
from ingestion_service.store.paging import Paging, paging_of_minutes
from ingestion_service.store.patience import NoAnswer, Patience, Reply, reading
from shared.contracts.datasets import TS
from shared.errors import InvalidInput, Unavailable

_FIELDS = {"open": "o", "high": "h", "low": "l", "close": "c"}
_STOCK = documented(numbers=["t", *_FIELDS.values(), "v"], optional=["vw", "n"])
#: indices have no volume, and no field for it
_INDEX = documented(numbers=["t", *_FIELDS.values()])
_ENVELOPE = {
    "status": Field(type="string"),
    **{name: Field(type="string", optional=True) for name in ("ticker", "request_id", "next_url")},
    **{name: Field(type="number", optional=True) for name in ("queryCount", "resultsCount", "count")},
    "adjusted": Field(type="boolean", optional=True),
    "results": Field(type="array", optional=True),
}
#: The most base aggregates one request may count: a month of a market that never closes has 44,640 minutes.
_PAGE = 50_000
#: The most splits or dividends of a page.
_ACTIONS_PAGE = 1_000


class MassiveSource:
    """Minute bars of stocks, indices and crypto pairs, unadjusted, page by page along `next_url`."""

    name = "massive"

    def __init__(self, *, base_url: str, api_key: str, patience: Patience) -> None:
        hide = patience.without_secrets
        self._pages = FieldWatch(self.name, _ENVELOPE, hide)
        self._client = _Client(base_url, api_key, patience, self._pages)
        self._watches = {index: FieldWatch(self.name, _INDEX if index else _STOCK, hide) for index in (False, True)}

    def earliest(self) -> datetime:
        return EARLIEST

    def drift(self) -> list[Drift]:
        return [drift for watch in (self._pages, *self._watches.values()) for drift in watch.take()]

    def bars(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        index = is_index(symbol)
        frames: list[pl.DataFrame] = []
        with reading(self.name):
            for rows in self._client.minute_pages(massive_ticker(symbol), start, end - timedelta(milliseconds=1)):
                self._watches[index].look(rows)
                frames.append(_frame(rows, volume=not index))
        found = pl.concat(frames) if frames else RAW_SCHEMA.to_frame()
        # they answer with the bar that spans the start, too
        return found.filter(pl.col("ts").is_null() | pl.col("ts").is_between(start, end, closed="left"))

    def actions(self, symbol: str, start: date, end: date) -> pl.DataFrame:
        """Return splits and dividends; of renames it says nothing that its documents call stable."""
        ticker = massive_ticker(symbol)
        with reading(self.name):
            return told_actions(
                symbol,
                self.name,
                splits=[
                    (date.fromisoformat(row["execution_date"]), float(row["split_to"]) / float(row["split_from"]))
                    for row in self._client.splits(ticker, start, end)
                ],
                dividends=[
                    (date.fromisoformat(row["ex_dividend_date"]), float(row["cash_amount"]))
                    for row in self._client.dividends(ticker, start, end)
                ],
            )


class _Client(RESTClient):
    """The client with our patience in place of its own retries, which neither read headers nor stop at a refusal."""

    def __init__(self, base_url: str, api_key: str, patience: Patience, pages: FieldWatch) -> None:
        super().__init__(api_key, base=base_url, retries=0, connect_timeout=5.0, read_timeout=60.0)
        self._patience, self._pages = patience, pages

    def minute_pages(self, ticker: str, start: datetime, end: datetime) -> Iterator[list[Mapping[str, Any]]]:
        """Yield the rows of each page of [start, end], both included, in order of time."""
        return self._each_page(
            self.list_aggs(ticker, 1, "minute", start, end, adjusted=False, sort="asc", limit=_PAGE, raw=True),
            paging_of_minutes(self.BASE, 1, start, end),
        )

    def splits(self, ticker: str, start: date, end: date) -> list[Mapping[str, Any]]:
        """Return the splits executed in [start, end)."""
        answer = self.list_splits(
            ticker, execution_date_gte=start, execution_date_lt=end, limit=_ACTIONS_PAGE, raw=True
        )
        return [row for page in self._each_page(answer, Paging(self.BASE)) for row in page]

    def dividends(self, ticker: str, start: date, end: date) -> list[Mapping[str, Any]]:
        """Return the dividends with an ex-date in [start, end)."""
        answer = self.list_dividends(
            ticker, ex_dividend_date_gte=start, ex_dividend_date_lt=end, limit=_ACTIONS_PAGE, raw=True
        )
        return [row for page in self._each_page(answer, Paging(self.BASE)) for row in page]

    def _each_page(self, answer: Any, paging: Paging) -> Iterator[list[Mapping[str, Any]]]:  # noqa: ANN401 - the client's
        while True:
            page = self._checked(self._decode(answer))
            rows, following = page.get("results") or [], page.get("next_url")
            paging.look(len(rows), following)
            yield rows
            if not following:
                return
            # its host is not believed: the key goes to the base URL only
            parts = urlparse(following)
            answer = self._get(f"{parts.path}?{parts.query}", raw=True)

    def _checked(self, page: dict[str, Any]) -> dict[str, Any]:
        self._pages.look([page])
        if page.get("status") not in ("OK", "DELAYED"):
            said = str(page.get("error") or page.get("message") or page.get("status"))
            said = self._patience.without_secrets(said)[:200]
            raise Unavailable(f"{self.BASE} answered with status {page.get('status')!r}: {said}")
        if page.get("resultsCount") and not page.get("results"):
            # taken for an empty answer it would be believed for good
            raise InvalidInput(f"{self.BASE} counts {page['resultsCount']} rows and shows none; GET /drift may say why")
        return page

    def _get(
        self,
        path: str,
        params: dict[str, Any] | None = None,
        result_key: str | None = None,
        deserializer: Any = None,  # noqa: ANN401 - the client's signature
        raw: bool = False,  # noqa: FBT001, FBT002 - the client's signature
        options: RequestOptionBuilder | None = None,
    ) -> Any:  # noqa: ANN401 - the client's signature
        """Return the answer to one request, as the client does for `raw`, which is the only way it is asked here."""
        del result_key, deserializer, raw, options

        def once() -> Reply[urllib3.BaseHTTPResponse]:
            try:
                answer = self.client.request(
                    "GET", self.BASE + path, fields=params, headers=self.headers, retries=False
                )
                if answer.status < 400:
                    self._decode(answer)
            except urllib3.exceptions.HTTPError as error:
                raise NoAnswer(f"no answer ({type(error).__name__})") from error
            except ValueError as error:
                raise NoAnswer("an answer that is not JSON") from error
            return Reply(answer.status, answer.headers, answer, lambda: _message(answer))

        return self._patience.ask(once).value


def _message(answer: urllib3.BaseHTTPResponse) -> str:
    try:
        body = answer.json()
        return str(body.get("error") or body.get("message") or body.get("status"))
    except (ValueError, AttributeError):
        return answer.data.decode("utf-8", "replace")


def _frame(rows: list[Mapping[str, Any]], *, volume: bool) -> pl.DataFrame:
    """Return raw JSON bars as columns; a field that is absent or of another type is null, for the checks to find."""
    columns = {ours: pl.Series([row.get(theirs) for row in rows], strict=False) for ours, theirs in _FIELDS.items()}
    stamps = pl.Series([row.get("t") for row in rows], strict=False).cast(pl.Int64, strict=False)  # milliseconds
    volumes = pl.Series([row.get("v") for row in rows], strict=False) if volume else pl.Series([None] * len(rows))
    return pl.DataFrame(
        {
            "ts": (stamps * 1_000).cast(TS),
            **{name: values.cast(pl.Float64, strict=False) for name, values in columns.items()},
            "volume": volumes.cast(pl.Float64, strict=False),
        },
        schema=RAW_SCHEMA,
    )
