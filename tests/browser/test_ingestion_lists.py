"""What ingestion's lists do: narrowed, paged, sorted, and what can be done in them, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import polars as pl
import pytest
from ingestion_house import Ingestion, ingestion_house

from shared.storage.postgres import Database

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def ingestion(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingestion]:
    with ingestion_house(postgres_url, tmp_path_factory.mktemp("ingestion")) as house:
        yield house


def in_sight(page: Page, selector: str) -> bool:
    """Tell whether the first such thing is whole inside its scroll box, clear of the edge that fades out."""
    return page.locator(selector).first.evaluate(
        """(one) => { const at = one.getBoundingClientRect(), box = one.closest(".scroll");
          const fade = box.dataset.more?.includes("right") ? 56 : 0;
          return at.left >= 0 && at.right <= Math.min(innerWidth, box.getBoundingClientRect().right) - fade + 1; }"""
    )


@pytest.fixture
def asked_in_vain(ingestion) -> Iterator[None]:
    """A provider has not answered for VIX, over and over; as long as a test runs."""
    database = Database(ingestion.database_url, application_name="test")
    with database.transaction() as conn:
        conn.execute(
            "insert into ingestion.failed_asks (symbol, provider, span, kind, reason) select 'VIX', 'simulated', "
            "tstzrange(month, month + interval '1 month'), 'not_offered', 'does not know this symbol (404)' "
            "from generate_series('2015-01-01'::timestamptz, '2016-12-01', '1 month') as month"
        )
    yield
    with database.transaction() as conn:
        conn.execute("delete from ingestion.failed_asks where symbol = 'VIX'")
    database.close()


@pytest.mark.usefixtures("asked_in_vain")
def test_all_columns_of_coverage_are_in_sight_though_a_provider_failed(visit, ingestion, check):
    day = {"ts": [datetime(2023, 1, 3, tzinfo=UTC)], "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1}
    (ingestion.files / "days").mkdir()
    pl.DataFrame(day).write_parquet(ingestion.files / "days" / "VIX.parquet")
    assert ingestion.import_files("days", timeframe="1d") == "COMPLETED"
    page = visit(ingestion.url, "/")
    for text in ("simulated not offered", "files, files 1d", "2023–2023"):
        assert text in page.inner_text("#symbols")
    assert in_sight(page, "#symbols thead th:last-child")
    check(page)
    assert in_sight(visit(ingestion.url, "/", width=1280), "#symbols thead th:has-text('source')")
    asks = visit(ingestion.url, "/symbols/VIX").inner_text("#checks")
    assert asks.count("404") == 1
    assert "2015-01-01 00:00 to 2017-01-01 00:00 UTC, 24 spans" in asks


def test_what_can_be_done_is_in_sight_on_a_phone(visit, ingestion):
    httpx.post(f"{ingestion.url}/watchlist", json={"symbols": ["CALM"], "since": "2024-06-03"})
    httpx.put(f"{ingestion.url}/universes/some", json={"symbols": ["EDGE", "CALM"]})
    for path, selector in (
        ("/watchlist", "#watched button:has-text('Remove')"),
        ("/watchlist", "#universes button:has-text('Remove')"),
        ("/symbols/VIX", "#gaps button:has-text('Ask again')"),
        ("/quality", "#refused-rows summary:has-text('Release')"),
    ):
        assert in_sight(visit(ingestion.url, path, width=390), selector), path
    assert in_sight(visit(ingestion.url, "/quality", width=1024), "#refused-rows summary:has-text('Release')")
    httpx.delete(f"{ingestion.url}/watchlist/CALM")
    httpx.delete(f"{ingestion.url}/universes/some")


def test_coverage_says_that_nothing_matches_and_sorts_by_gaps(visit, ingestion):
    page = visit(ingestion.url, "/")
    page.fill("#symbols input[type=search]", "zzzz")
    page.keyboard.press("Enter")
    page.wait_for_selector("#symbols .empty:has-text('No symbol matches “zzzz”')")
    assert "Bars of 3 symbols" in page.inner_text(".lead")
    page.click("text=Show all symbols")
    page.click("#symbols thead a:has-text('gaps')")
    page.wait_for_selector("#symbols th[aria-sort=descending]:has-text('gaps')")
    assert page.inner_text("#symbols tbody th >> nth=0") == "VIX"


def test_gaps_are_narrowed_and_paged_without_leaving_them(visit, ingestion, check):
    page = visit(ingestion.url, "/symbols/VIX?per_page=1")
    assert [head.inner_text() for head in page.locator("#gaps thead th").all()][:2] == ["from (UTC)", "to (UTC)"]
    assert "then makes bars up" in page.inner_text("#refill")
    page.click("#gaps a[rel=next]")
    page.wait_for_url("**page=2#gaps")
    page.click("#gaps header a:has-text('silent')")
    page.wait_for_url("**why=silent#gaps")
    assert {cell.inner_text() for cell in page.locator("#gaps tbody td:last-child").all()} == {"silent"}
    page.wait_for_selector("html[data-ready='1']", state="attached")
    check(page)


def test_refused_rows_are_narrowed_widened_and_released_together(visit, ingestion, check):
    page = visit(ingestion.url, "/quality")
    page.get_by_label("Filter Refused rows by symbol").fill("calm")
    page.get_by_label("Filter Refused rows by reason").fill("a price is zero")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_selector("#refused-rows:has-text('newest first of CALM: a price is zero')")
    assert page.url.endswith("#refused-rows")
    page.click("#refused-rows header a:has-text('of all symbols')")
    page.wait_for_selector("#refused-rows header:has-text('newest first: a price is zero')")
    assert "symbol=" not in page.url
    page = visit(ingestion.url, "/quality?symbol=CALM&reason=same minute")
    page.click("#release-all summary")
    check(page)
    page.fill("#release-all input[name=why]", "they are the first ones")
    page.check("#release-all input[name=replace]")
    page.click("#release-all button:has-text('Release all 3')")
    page.wait_for_url("**/quality?symbol=CALM&reason=same+minute#released")
    assert page.locator("#released tbody tr").count() == 3
    assert "No refused rows of CALM: same minute" in page.inner_text("#refused-rows")
