"""Lists of the ingestion service as files, and their columns chosen, in Chromium."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from ingestion_house import Ingestion, ingestion_house

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def ingestion(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingestion]:
    with ingestion_house(postgres_url, tmp_path_factory.mktemp("ingestion")) as house:
        httpx.put(f"{house.url}/universes/some", json={"symbols": ["EDGE", "CALM"]})
        httpx.put(f"{house.url}/universes/=1+1", json={"symbols": ["EDGE"]})
        httpx.post(f"{house.url}/actions/VIX", json=[{"kind": "split", "ex_date": "2024-06-05", "value": 2}])
        yield house


def saved(page: Page, button: Locator) -> list[dict[str, str]]:
    """Click a CSV button and return the rows of the file."""
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename.endswith(".csv")
    return list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))


def file_of(page: Page, section: str) -> list[dict[str, str]]:
    return saved(page, page.locator(f"{section} header a:text-is('CSV')"))


def heads(page: Page, section: str) -> list[str]:
    """Return what the rows that are shown are called."""
    return [head.inner_text().strip() for head in page.locator(f"{section} tbody th[scope=row]").all()]


def all_heads(page: Page, section: str) -> list[str]:
    """Return what the rows of all pages are called, from the one that is shown."""
    found = heads(page, section)
    while (following := page.locator(f"{section} a[rel=next]")).count():
        following.click()
        page.wait_for_selector(f"{section} .pager > span:first-child:text('{len(found) + 1:,}–')")
        page.wait_for_selector("html[data-ready='1']", state="attached")
        found += heads(page, section)
    return found


PATHS = (
    "/",
    "/watchlist",
    "/symbols/VIX?per_page=500",
    "/symbols/VIX?per_page=500&around=2024-06-04T13:40:00Z",
    "/symbols/CALM",
    "/quality",
    "/agents",
    "/monitoring",
    "/jobs",
    "/workers",
)


#: what a row is called, where the file does not begin with it; None: a time, or a link with words of its own
CALLED = {"Errors": "kind", "Corporate actions": "ex_date", "Gaps": None, "Jobs": None}


@pytest.mark.parametrize("path", PATHS)
def test_every_list_has_a_file_with_its_rows(visit, ingestion, path):
    page = visit(ingestion.url, path)
    sections = page.locator("section:has(tbody tr th[scope=row])")
    assert sections.count()
    for section in sections.all():
        title = section.locator("h2").first.inner_text()
        if title in ("Newest jobs", "Retention"):  # the newest of the list of jobs; what a run would remove now
            continue
        shown = [head.inner_text().strip() for head in section.locator("tbody th[scope=row]").all()]
        if shown == ["all"]:  # nothing is known against the bars
            continue
        rows = saved(page, section.locator("header a:text-is('CSV')"))
        assert len(rows) == len(shown), title
        column = CALLED.get(title, next(iter(rows[0]))) if rows and not title.startswith("Around") else None
        if column:
            called = [row[column].lstrip("'") for row in rows]
            assert [one.replace("_", " ") for one in called] == [one.replace("_", " ") for one in shown], title


def test_coverage_is_saved_as_it_is_sorted_and_filtered_and_all_pages_of_it(visit, ingestion):
    page = visit(ingestion.url, "/?per_page=1&sort=-gaps")
    rows = file_of(page, "#symbols")
    assert [row["symbol"] for row in rows] == all_heads(page, "#symbols")
    vix = rows[0]
    assert vix["symbol"] == "VIX"
    assert int(vix["gap_minutes"]) > 0
    assert float(vix["completeness"]) == 1 - int(vix["gap_minutes"]) / (int(vix["rows"]) + int(vix["gap_minutes"]))
    assert vix["first"] == "2024-06-03T13:30:00Z"
    assert (vix["sources"], vix["last_error_kind"]) == ('["files"]', "")
    page.fill("#symbols input[type=search]", "e")
    page.keyboard.press("Enter")
    page.wait_for_url("**search=e**")
    page.wait_for_selector("html[data-ready='1']", state="attached")
    assert [row["symbol"] for row in file_of(page, "#symbols")] == heads(page, "#symbols") == ["EDGE"]
    assert "sort=-gaps" in page.url


def test_gaps_and_refused_rows_are_saved_as_they_are_narrowed(visit, ingestion):
    page = visit(ingestion.url, "/symbols/VIX?per_page=200&why=silent")
    rows = file_of(page, "#gaps")
    assert len(rows) > 200
    assert [row["start"].replace("T", " ")[:16] for row in rows] == [
        head.replace("\n", " ") for head in all_heads(page, "#gaps")
    ]
    assert {row["why"] for row in rows} == {"silent"}
    page = visit(ingestion.url, "/quality?symbol=calm&reason=a+price&per_page=1")
    rows = file_of(page, "#refused-rows")
    assert [row["symbol"] for row in rows] == all_heads(page, "#refused-rows")
    assert {(row["symbol"], row["low"]) for row in rows} == {("CALM", "0.0")}
    assert all("price" in row["reason"] and row["received"].endswith("Z") for row in rows)


def test_what_a_list_cannot_answer_is_said(ingestion):
    def said(path: str) -> tuple[int, str]:
        answer = httpx.get(ingestion.url + path)
        return answer.status_code, answer.json()["detail"]

    assert said("/coverage?format=xlsx") == (400, "format 'xlsx': use json or csv")
    lists = "agents, errors, staleness, disk.datasets, feed.hours, feed.symbols, drift"
    assert said("/monitoring?format=csv") == (400, f"list '' is not in this answer: use one of {lists}")
    assert said("/providers?list=x")[0] == 422
    page = httpx.get(f"{ingestion.url}/coverage?format=csv&page=2&per_page=1&sort=symbol")
    assert (page.text.splitlines()[1].split(",")[0], page.headers["X-Truncated"]) == ("EDGE", "true")


def shown_columns(page: Page, section: str) -> list[str]:
    """Return the labels of the columns that can be seen, in the head; every row must show as many cells."""
    labels = [head.inner_text() for head in page.locator(f"{section} thead th:visible").all()]
    counts = page.locator(f"{section} tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].filter((cell) => cell.checkVisibility()).length)"
    )
    assert set(counts) <= {len(labels)}
    return labels


def choose(page: Page, section: str, *names: str, shown: bool) -> None:
    page.click(f"{section} details.columns summary")
    for name in names:
        page.locator(f"{section} details.columns").get_by_label(name, exact=True).set_checked(shown)
    before = page.url
    page.click(f"{section} details.columns button")
    page.wait_for_url(lambda url: url != before)
    page.wait_for_selector("html[data-ready='1']", state="attached")


def test_columns_are_chosen_and_kept_in_the_address(visit, ingestion, check_looks):
    page = visit(ingestion.url, "/?per_page=1")
    every = shown_columns(page, "#symbols")
    assert (
        page.locator("#symbols details.columns").get_by_label("symbol", exact=True).count() == 0
    )  # it says what a row is
    choose(page, "#symbols", "gaps", "days", "source", shown=False)
    left = [label for label in every if label not in ("gaps", "days", "source")]
    assert shown_columns(page, "#symbols") == left
    first = page.url
    page.click("#symbols thead a:has-text('bars')")
    page.wait_for_url("**sort=-rows**")
    page.click("#symbols a[rel=next]")
    page.wait_for_url("**page=2**")
    assert [label.rstrip(" ↓") for label in shown_columns(page, "#symbols")] == left
    page.fill("#symbols input[type=search]", "c")
    page.press("#symbols input[type=search]", "Enter")
    page.wait_for_url("**search=c**")
    page.reload()
    assert (heads(page, "#symbols"), shown_columns(page, "#symbols")) == (["CALM"], left)
    page.wait_for_selector("html[data-ready='1']", state="attached")
    check_looks(page, "coverage-columns")
    page = visit(ingestion.url, first.removeprefix(ingestion.url))  # a copied link
    assert shown_columns(page, "#symbols") == left
    choose(page, "#symbols", *(label for label in left if label != "symbol"), shown=False)
    assert shown_columns(page, "#symbols") == ["symbol"]
    page.go_back()
    assert shown_columns(page, "#symbols") == left
    page.click("#symbols details.columns summary")
    page.click("#symbols a:has-text('All columns')")
    page.wait_for_selector("#symbols summary:text-is('Columns')")
    assert shown_columns(page, "#symbols") == every


def test_the_choice_is_in_sight_open_and_of_one_table_only(visit, ingestion, check_looks):
    page = visit(ingestion.url, "/quality?columns-symbols=symbol")
    assert "source" in shown_columns(page, "#refused-rows")
    choose(page, "#refused-rows", "source", "came in", shown=False)
    assert "source" not in shown_columns(page, "#refused-rows")
    assert page.url.endswith("#refused-rows")
    assert "columns-symbols=symbol" in page.url
    page.click("#refused-rows details.columns summary")
    check_looks(page, "quality-columns")


def test_a_part_that_is_fetched_anew_keeps_its_columns(visit, ingestion):
    page = visit(ingestion.url, "/?columns-symbols=symbol&columns-symbols=rows")
    page.evaluate("document.getElementById('symbols').dataset.old = 'yes'")
    ingestion.import_files("VIX.parquet")
    page.wait_for_selector("#symbols:not([data-old])")
    assert shown_columns(page, "#symbols") == ["symbol", "bars"]


def test_columns_are_chosen_without_scripts(chromium, ingestion):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(ingestion.url)
    page.click("#symbols details.columns summary")
    page.locator("#symbols details.columns").get_by_label("gaps", exact=True).uncheck()
    page.click("#symbols details.columns button")
    page.wait_for_selector("#symbols summary:text-is('Columns (13 of 14)')")
    assert not page.locator("#symbols thead th:has-text('gaps')").is_visible()
    context.close()
