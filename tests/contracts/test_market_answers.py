"""Answers that providers should not give: without an end, with our key in them, of another shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from ingestion_service.domain.sources import MarketDataSource
from ingestion_service.store.alpaca import AlpacaSource
from ingestion_service.store.massive import MassiveSource
from ingestion_service.store.patience import Patience
from shared.clock import SystemClock
from shared.errors import InvalidInput, Unavailable
from shared.testing.servers import serving

START, END = datetime(2024, 7, 1, 13, 30, tzinfo=UTC), datetime(2024, 7, 1, 15, 30, tzinfo=UTC)
KEY, SECRET = "a-key-that-is-ours", "a-secret-that-is-ours"
PRICES = {"o": 10, "h": 11, "l": 9, "c": 10.5, "v": 100}
#: a row of each provider, of its first minute
ROW = {"alpaca": {"t": "2024-07-01T13:30:00Z", **PRICES}, "massive": {"t": 1719840600000, **PRICES}}

Answer = Callable[[Request], Any]


@contextmanager
def provider(name: str, answer: Answer) -> Iterator[tuple[MarketDataSource, list[str]]]:
    """Open a provider's real client in front of a server that answers everything with `answer`; count what it asks."""
    app, asked = FastAPI(), list[str]()

    @app.get("/{path:path}")
    def any_path(path: str, request: Request) -> JSONResponse:
        asked.append(path)
        return JSONResponse(answer(request))

    with serving(app) as http:
        url = str(http.base_url)
        patience = Patience(url, "the settings", SystemClock(), pause=lambda _seconds: None, secrets=(KEY, SECRET))
        if name == "massive":
            yield MassiveSource(base_url=url, api_key=KEY, patience=patience), asked
        else:
            keys = {"key_id": KEY, "secret_key": SECRET}
            yield AlpacaSource(name="alpaca", base_url=url, feed="iex", patience=patience, **keys), asked


def page(name: str, rows: list[Any], cursor: str | None) -> dict[str, Any]:
    if name == "alpaca":
        return {"bars": {"EDGE": rows}, "next_page_token": cursor}
    onward = {"next_url": f"https://api.massive.com/v2/more?cursor={cursor}"} if cursor else {}
    return {"status": "OK", "ticker": "EDGE", "resultsCount": len(rows), "results": rows, **onward}


@pytest.mark.parametrize("name", ROW)
@pytest.mark.parametrize("kind", ["the same page again", "empty pages", "ever more rows"])
def test_pages_without_an_end_are_no_answer(name, kind):
    numbers = count()
    rows = {"the same page again": 1, "empty pages": 0, "ever more rows": 2_000}[kind]

    def answer(_request: Request) -> Any:
        cursor = "again" if kind == "the same page again" else str(next(numbers))
        return page(name, [ROW[name]] * rows, cursor)

    with provider(name, answer) as (source, asked):
        with pytest.raises(InvalidInput, match="its answer does not end"):
            source.bars("EDGE", START, END)
        assert len(asked) <= 102


@pytest.mark.parametrize("name", ROW)
def test_many_pages_that_do_end_are_an_answer(name):
    numbers = count(1)

    def answer(_request: Request) -> Any:
        number = next(numbers)
        return page(name, [ROW[name]] if number % 50 == 0 else [], str(number) if number < 300 else None)

    with provider(name, answer) as (source, asked):
        assert source.bars("EDGE", START, END).height == 6
        assert len(asked) == 300


@pytest.mark.parametrize("name", ROW)
def test_a_row_that_is_no_object_is_told_in_words_and_noticed(name):
    with provider(name, lambda _request: page(name, [ROW[name], [1, 2, 3]], None)) as (source, _):
        with pytest.raises(InvalidInput, match="could not be read"):
            source.bars("EDGE", START, END)
        assert ("(row)", "retyped", "array", "[1, 2, 3]") in {
            (drift.field, drift.kind, drift.type, drift.example) for drift in source.drift()
        }


@pytest.mark.parametrize("name", ROW)
def test_what_is_kept_of_an_answer_has_no_key_in_it(name):
    with provider(name, lambda _request: page(name, [ROW[name] | {"who": KEY}], None) | {"you": KEY}) as (source, _):
        source.bars("EDGE", START, END)
        drift = source.drift()
    assert {one.field for one in drift} >= {"who", "you"}
    assert KEY not in str(drift)


def test_massives_own_words_are_shown_without_the_key():
    with (
        provider("massive", lambda _request: {"status": "ERROR", "message": f"Unknown API Key {KEY}"}) as (source, _),
        pytest.raises(Unavailable, match="Unknown API Key") as raised,
    ):
        source.bars("EDGE", START, END)
    assert KEY not in str(raised.value)


def test_a_time_with_an_offset_is_a_time():
    rows = [ROW["alpaca"] | {"t": "2024-07-01T09:31:00-04:00"}, ROW["alpaca"], ROW["alpaca"] | {"t": "yesterday"}]
    with provider("alpaca", lambda _request: page("alpaca", rows, None)) as (source, _):
        found = source.bars("EDGE", START, END)["ts"].to_list()
    assert found == [datetime(2024, 7, 1, 13, 31, tzinfo=UTC), START, None]
