"""Ingestion's pages in Chromium, over bars that a real worker imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from ingestion_house import Ingestion, ingestion_house

from shared.testing.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def ingestion(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingestion]:
    with ingestion_house(postgres_url, tmp_path_factory.mktemp("ingestion")) as house:
        yield house


def call_off(page: Page) -> None:
    """Cancel the job a page shows: no provider runs here, and its retries would hold the one worker."""
    page.click("text=Cancel the job")
    page.wait_for_selector('.st[data-look="off"] >> text=cancelled')


def test_coverage_tells_what_was_stored_and_what_was_rejected(visit, ingestion):
    page = visit(ingestion.url, "/")
    table = page.inner_text("main table >> nth=0")
    assert "EDGE" in table
    assert "252 of 252" in table
    jobs = page.inner_text("#jobs-h >> xpath=ancestor::section")
    assert "same minute again later" in jobs
    assert "BAD.csv: no column for close; it has: ts" in jobs  # the job's page says the rest
    for one in httpx.get(f"{ingestion.url}/coverage", headers={"Accept": "application/json"}).json()["items"]:
        row = page.inner_text(f"#symbols tr:has(a:text-is('{one['symbol']}'))").split("\t")
        gaps = one["outage_minutes"] + one["silent_minutes"]
        assert (row[2], row[4], row[5]) == (f"{gaps:,}", "none", f"{one['rows']:,}")


def test_zooming_in_fetches_single_minutes(visit, ingestion):
    page = visit(ingestion.url, "/symbols/EDGE")
    page.wait_for_selector("[data-summary]:has-text('points from')", state="attached")
    chart = page.locator("[data-chart]")
    chart.focus()
    answers: list[dict] = []
    page.on("response", lambda answer: answers.append(answer.json()) if "/chart?" in answer.url else None)

    def zoomed_to_minutes() -> bool:
        page.keyboard.press("+")
        page.wait_for_timeout(200)
        return bool(answers) and answers[-1]["time"][1] - answers[-1]["time"][0] == 60

    eventually(zoomed_to_minutes, timeout=30, what="one-minute candles after zooming in")
    assert all(len(answer["time"]) <= 2_500 for answer in answers)


def test_an_import_started_by_the_form_ends_without_a_reload(visit, ingestion):
    page = visit(ingestion.url, "/")
    page.fill("#import input[name=path]", str(ingestion.files / "CALM.parquet"))
    page.click("#import button")
    page.wait_for_url("**/jobs/*")
    page.wait_for_selector("main:has-text('done')")


def test_a_wrong_form_keeps_what_was_typed_and_names_the_field(visit, ingestion, check):
    page = visit(ingestion.url, "/")
    page.fill("#ingest input[name=symbols]", "EDGE FLAT")
    page.fill("#ingest input[name=start]", "2024-02-01")
    page.fill("#ingest input[name=end]", "2024-01-01")
    page.click("#ingest button")
    page.wait_for_selector(".err:has-text('must be later than start')")
    assert page.input_value("#ingest input[name=symbols]") == "EDGE FLAT"
    check(page)


def test_the_fetch_form_tells_what_it_would_ask_for_and_what_is_wrong(visit, ingestion):
    page = visit(ingestion.url, "/")
    page.fill("#ingest input[name=symbols]", "NEWCO, OTHER")
    page.fill("#ingest input[name=start]", "2024-01-01")
    assert page.inner_text("#ingest [data-estimate]") == ""
    page.fill("#ingest input[name=end]", "2024-05-01")
    page.wait_for_selector("#ingest [data-estimate]:text-is('About 8 requests.')")
    page.fill("#ingest input[name=end]", "2023-01-01")
    page.wait_for_selector("#ingest [data-estimate]:has-text('end: must be later than start, 2024-01-01')")


#: a symbol without gaps and the plain coverage are among the pages of a whole house
@pytest.mark.parametrize(
    "path", ["/", "/symbols/VIX", "/quality", "/agents", "/agents/fill", "/watchlist", "/monitoring"]
)
def test_every_page_is_sound(visit, ingestion, check_looks, path):
    check_looks(visit(ingestion.url, path), f"ingestion{path.replace('/', '-')}")


def test_gaps_are_shaded_listed_and_can_be_refilled(visit, ingestion):
    page = visit(ingestion.url, "/symbols/VIX")
    chart = httpx.get(f"{ingestion.url}/symbols/VIX/chart").json()
    report = httpx.get(f"{ingestion.url}/quality/VIX").json()["coverage"]
    assert sum(chart["shade"]) == report["outage_minutes"] + report["silent_minutes"] >= 31
    assert "gap minutes" in page.inner_text("main")
    assert "silent" in page.inner_text("#gaps")
    page.click("button:has-text('Refill gaps')")
    page.wait_for_url("**/jobs/*")
    assert "ingestion.fill" in page.inner_text("main")
    call_off(page)
    page = visit(ingestion.url, "/symbols/VIX")
    page.get_by_role("button", name="Ask again for").first.click()
    page.wait_for_url("**/jobs/*")
    assert '"refresh": true' in page.inner_text("main")
    call_off(page)


def test_the_quality_page_narrows_to_a_reason(visit, ingestion):
    page = visit(ingestion.url, "/quality")
    page.click("#reasons a:has-text('a price is zero')")
    page.wait_for_selector("#refused-rows:has-text('newest first: a price is zero')")
    assert page.locator("#refused-rows tbody tr").count() == 2
    page.go_back()
    page.wait_for_selector("#refused-rows:has-text('1–5 of 5')")
    assert page.locator("#reasons svg rect").count() >= page.locator("#reasons tbody tr").count()


def test_a_refused_row_leads_to_the_bars_around_it(visit, ingestion, check):
    page = visit(ingestion.url, "/quality?reason=a price is zero")
    page.click("#refused-rows tbody a[href*='around=']")
    page.wait_for_selector("#around")
    states = [cell.inner_text() for cell in page.locator("#around tbody td:nth-child(2)").all()]
    # all that was refused is of the first three minutes; the bar of the first, and five after it
    assert (states.count("refused"), states.count("stored")) == (5, 6)
    assert page.locator("#around tbody tr:has-text('a price is zero')").count() == 2
    page.wait_for_selector("html[data-ready='1']", state="attached")
    check(page)
    chart = httpx.get(f"{ingestion.url}/symbols/CALM/chart").json()
    refused = httpx.get(f"{ingestion.url}/quarantine?symbol=CALM").json()["total"]
    assert sum(int(marker["text"] or 1) for marker in chart["markers"]) == refused == 5


def test_an_agent_is_started_and_stopped_from_its_page(visit, ingestion):
    page = visit(ingestion.url, "/agents")
    row = page.locator("#agents tr:has(th:has-text('scan'))")
    row.get_by_role("button", name="Start scan").click()
    page.wait_for_selector("#agents tr:has(th:has-text('scan')):has-text('waiting')")
    assert "symbols 3" in row.inner_text()
    row.get_by_role("button", name="Stop scan").click()
    page.wait_for_selector("#agents tr:has(th:has-text('scan')):has-text('stopped')")


def test_options_of_an_agent_are_set_on_its_page(visit, ingestion, check):
    page = visit(ingestion.url, "/agents")
    page.click("#agents a:text-is('live')")
    page.wait_for_url("**/agents/live")
    page.fill("input[name=alert_minutes]", "0")
    page.click("button:has-text('Set options')")
    page.wait_for_selector("#alert_minutes-error:has-text('greater than or equal to 1')")
    check(page)
    page.fill("input[name=alert_minutes]", "7.5")
    page.click("button:has-text('Set options')")
    page.wait_for_url("**/agents/live")
    assert page.input_value("input[name=alert_minutes]") == "7.5"
    assert httpx.get(f"{ingestion.url}/agents/live").json()["options"]["alert_minutes"] == 7.5
    for wanted in (True, False):
        page = visit(ingestion.url, "/agents/fill")
        page.set_checked("input[name=fill]", wanted)
        page.click("button:has-text('Set options')")
        eventually(
            lambda wanted=wanted: httpx.get(f"{ingestion.url}/agents/fill").json()["options"]["fill"] is wanted,
            timeout=10,
            what=f"fill {wanted}",
        )


def test_a_watched_symbol_and_a_universe_come_and_go(visit, ingestion, check):
    page = visit(ingestion.url, "/watchlist")
    page.fill("#universes input[name=name]", "mine")
    page.fill("#universes input[name=members]", "EDGE, CALM")
    page.click("#universes button:has-text('Save universe')")
    page.wait_for_selector("#universes tr:has-text('mine')")
    page.select_option("#watch select[name=universe]", "mine")
    page.fill("#watch input[name=since]", "2024-06-01")
    page.click("#watch button:has-text('Watch')")
    page.wait_for_selector("#watched tr:has(th:has-text('CALM'))")
    check(page)
    home = visit(ingestion.url, "/")
    hours = httpx.get(f"{ingestion.url}/monitoring").json()["feed"]["hours"]
    assert len(hours) == home.locator("#feed svg g").count() == 24
    expected = sum(hour["expected"] for hour in hours)
    said = f"0 of {expected:,} bars of 2 symbols came" if expected else "no session in these hours"
    assert said in home.inner_text("#feed")
    check(home)
    page.get_by_role("button", name="Remove CALM").click()
    page.wait_for_selector("#watched tr:has(th:has-text('CALM'))", state="detached")
    page.click("#watch button:has-text('Watch')")
    page.wait_for_selector(".summary:has-text('name either symbols or a universe')")


def test_retention_rules_are_set_and_checked(visit, ingestion):
    page = visit(ingestion.url, "/agents")
    page.fill("#retention input[name=datasets]", "features = 10")
    page.click("#retention button")
    page.wait_for_selector("#retention .err:has-text('no rule for dataset')")
    page.fill("#retention input[name=datasets]", "bars_1m = 3650")
    page.click("#retention button")
    page.wait_for_selector("#retention tr:has-text('bars_1m: keep 3650 days')")
