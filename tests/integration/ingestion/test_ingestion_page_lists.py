"""Lists on pages: what they say when nothing is there, how they are sorted, narrowed and linked."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl
import pytest

from shared.testing.markets import reverting_bars

HTML = {"Accept": "text/html"}
MONDAY, SATURDAY = datetime(2024, 11, 18, tzinfo=UTC), datetime(2024, 11, 23, tzinfo=UTC)


def bars(symbol: str, *gone: tuple[int, int]) -> pl.DataFrame:
    week = reverting_bars(symbol, MONDAY, SATURDAY, seed=5).drop("symbol", "source").with_row_index("at")
    for start, end in gone:
        week = week.filter(~pl.col("at").is_between(start, end - 1))
    return week.drop("at")


@pytest.fixture
def house(open_house, tmp_path):
    """FULL lacks nothing, HOLE two whole sessions, VIX a few minutes in two places, and DAYS has days alone."""
    house = open_house()
    for symbol, gone in (("FULL", []), ("HOLE", [(390, 1_170)]), ("VIX", [(10, 13), (800, 801)])):
        bars(symbol, *gone).write_parquet(tmp_path / f"{symbol}.parquet")
        house.done(house.post("/import", path=str(tmp_path / f"{symbol}.parquet"))["job_id"])
    days = [datetime(2024, 11, day, tzinfo=UTC) for day in (4, 5, 6)]
    day = pl.DataFrame({"ts": days, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1})
    for symbol in ("DAYS", "FULL"):
        day.write_parquet(tmp_path / f"{symbol}.parquet")
        house.done(house.post("/import", path=str(tmp_path / f"{symbol}.parquet"), timeframe="1d")["job_id"])
    return house


def test_a_filter_and_a_page_without_rows_say_so(house):
    page = house.http.get("/?search=zzzz", headers=HTML).text
    assert "No symbol matches “zzzz”" in page
    assert "Bars of 4 symbols" in page
    assert "No bars yet" not in page
    beyond = house.http.get("/?page=999&sort=rows", headers=HTML).text
    assert "There is no page 999" in beyond
    assert "Bars of 4 symbols" in beyond
    assert 'href="?sort=rows"' in beyond
    assert "There is no page 99" in house.http.get("/jobs?page=99", headers=HTML).text


def test_a_state_that_is_none_is_said_to_be_none(house):
    page = house.http.get("/jobs?state=bogus", headers=HTML).text
    assert "No state is called “bogus”" in page
    assert "waiting, running, done, failed, cancelled" in page
    assert "job-1<" in page
    assert "No state is called" not in house.http.get("/jobs?state=done", headers=HTML).text


@pytest.mark.parametrize(
    ("sort", "symbols"),
    [
        ("-gaps", ["HOLE", "VIX", "DAYS", "FULL"]),
        ("completeness", ["HOLE", "VIX", "DAYS", "FULL"]),
        ("-age", ["DAYS", "FULL", "HOLE", "VIX"]),
        ("-days", ["DAYS", "FULL", "HOLE", "VIX"]),
    ],
)
def test_coverage_is_sorted_by_what_bars_tell(house, sort, symbols):
    assert [row["symbol"] for row in house.http.get("/coverage", params={"sort": sort}).json()["items"]] == symbols
    page = house.http.get("/", params={"sort": sort}, headers=HTML).text
    assert re.findall(r'<th scope="row"><a href="/symbols/(\w+)">', page) == symbols


def test_the_completeness_strip_is_explained_and_its_share_shown(house):
    page = house.http.get("/", headers=HTML).text
    assert "a bar for each session of the last quarter (63 sessions)" in page
    report = house.http.get("/quality/HOLE").json()
    assert report["completeness"] == pytest.approx(3 / 5)
    assert re.search(r"</svg> 60\.0\s%</td>", page)


def test_neighbouring_sessions_without_a_bar_are_one_line_and_gaps_are_narrowed_to_a_reason(house):
    api = house.http.get("/gaps/HOLE").json()
    assert (api["total"], [gap["minutes"] for gap in api["items"]]) == (2, [390, 390])
    page = house.http.get("/symbols/HOLE", headers=HTML).text
    assert "outage, 2 sessions in a row" in page
    assert page.count('aria-label="Ask again for') == 1
    assert 'name="start" value="2024-11-19T14:30:00+00:00"' in page
    assert 'name="end" value="2024-11-20T21:00:00+00:00"' in page
    vix = house.http.get("/symbols/VIX", headers=HTML).text
    # the file answers for a minute, not for a hole of three
    assert 'href="?why=silent#gaps">silent</a> (1)' in vix
    assert 'href="?why=outage#gaps">outage</a> (1)' in vix
    silent = house.http.get("/symbols/VIX?why=silent", headers=HTML).text
    assert silent.count('aria-label="Ask again for') == 1
    assert 'href="/symbols/VIX#gaps">all gaps</a>' in silent
    assert "No gaps of the kind “refused”" in house.http.get("/symbols/VIX?why=refused", headers=HTML).text


def test_lower_tables_lead_back_to_themselves(house):
    page = house.http.get("/symbols/VIX?per_page=1", headers=HTML).text
    assert 'href="?per_page=1&amp;page=2#gaps"' in page
    assert "There is no page 9" in house.http.get("/symbols/VIX?page=9", headers=HTML).text


def test_a_symbol_with_minutes_and_days_shows_both_spans(house):
    page = house.http.get("/symbols/FULL", headers=HTML).text
    read = re.sub("<[^>]+>", "", page)
    assert "Minutes from 2024-11-18 14:30 to 2024-11-22 20:59 UTC, days from 2024-11-04 to 2024-11-06" in read
    assert "last day 2024-11-06" in page


def test_refilling_says_what_it_makes_up(house):
    assert "then makes bars up" in house.http.get("/symbols/HOLE", headers=HTML).text
    assert "Refill" not in house.http.get("/symbols/FULL", headers=HTML).text


def test_the_fetch_form_offers_who_can_be_asked_and_keeps_the_choice(open_house):
    house = open_house()
    form = re.search(r'<select id="f-provider".*?</select>', house.http.get("/", headers=HTML).text, re.DOTALL)
    assert re.findall(r'value="(\w*)"', form[0]) == ["", "simulated", "yahoo"]  # the others lack a key
    good = {"symbols": "spy", "start": "2024-01-01", "end": "2024-02-01", "provider": "yahoo"}
    done = house.http.post("/ingest", data=good, headers=HTML)
    assert house.job(int(done.headers["location"].rsplit("/", 1)[1]))["payload"]["provider"] == "yahoo"
    chain = house.http.post("/ingest", data={**good, "provider": ""}, headers=HTML)
    assert house.job(int(chain.headers["location"].rsplit("/", 1)[1]))["payload"]["provider"] is None
    for wrong, said in (
        ({**good, "start": "2199-01-01", "end": "2199-02-01"}, "has happened yet"),
        ({**good, "end": ""}, "Field required"),
    ):
        page = house.http.post("/ingest", data=wrong, headers=HTML)
        assert (page.status_code, said in page.text) == (422, True)
        assert 'value="yahoo" selected' in page.text
    lacking = house.http.post("/ingest", data={**good, "provider": "massive"}, headers=HTML)
    assert (lacking.status_code, "MASSIVE_API_KEY" in lacking.text) == (422, True)
    assert 'id="provider-error"' in lacking.text
