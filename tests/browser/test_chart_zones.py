"""Charts in the zone that was chosen: axis, crosshair, legend and picture; days are the same in every zone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import httpx
import polars as pl
import pytest
from browser_service import service_process
from pydantic import SecretStr

from ingestion_service.domain.requests import ImportFiles
from ingestion_service.settings import Settings
from ingestion_service.wiring import assemble
from ingestion_service.worker import handlers
from shared.testing.jobs import run_pending
from shared.testing.markets import reverting_bars
from shared.testing.postgres import fresh_database

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

#: a week of winter and one of summer: New York is five, then four hours behind UTC
WEEKS = (
    (datetime(2024, 1, 8, tzinfo=UTC), datetime(2024, 1, 13, tzinfo=UTC)),
    (datetime(2024, 7, 8, tzinfo=UTC), datetime(2024, 7, 13, tzinfo=UTC)),
)
UTC_ZONE, NEW_YORK, KOLKATA = (ZoneInfo(name) for name in ("UTC", "America/New_York", "Asia/Kolkata"))
NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
#: notes every text a canvas writes
NOTE_TEXTS = """() => {
  window.texts = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
    window.texts.push(text);
    write.call(this, text, ...more);
  };
}"""


@pytest.fixture(scope="module")
def year(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The ingestion service with the minutes of YEAR in both weeks."""
    home = tmp_path_factory.mktemp("zones")
    bars = pl.concat([reverting_bars("YEAR", start, end, seed=7) for start, end in WEEKS])
    bars.drop("source").write_parquet(home / "YEAR.parquet")
    with fresh_database(postgres_url) as url:
        settings = Settings(database_url=SecretStr(url), home=home)
        with assemble(settings) as wired, handlers(settings) as known:
            wired.intake.submit_import(ImportFiles(path=str(home / "YEAR.parquet")))
            assert [job.error for job in run_pending(wired.resources.queue, known)] == [None]
        with service_process("ingestion_service.app", "ingestion", url, home) as served:
            yield served.url


def data_of(page: Page, url: str, chart: str = "[data-chart]") -> dict:
    """What the chart's address answers."""
    return httpx.get(url + page.get_attribute(chart, "data-url")).json()


def legend(page: Page, name: str, chart: str = "[data-chart]") -> str:
    return page.inner_text(f'[data-figure]:has({chart}) .legend [data-name="{name}"]')


def choose(page: Page, name: str) -> None:
    """Press the key until `name` is the zone, and wait until it is painted."""
    for _ in range(3):
        if page.inner_text("#zone") == name:
            break
        page.keyboard.press("z")
    assert page.inner_text("#zone") == name
    page.evaluate(NEXT_FRAME)


def own_name(page: Page) -> str:
    """What the browser calls the zone of its own, which it is not asked for: what comes after New York."""
    choose(page, "New York")
    page.keyboard.press("z")
    return page.inner_text("#zone")


def drawn(page: Page, x: float | None = None) -> list[str]:
    """Every text on the canvases of a frame with the pointer at `x` of the chart, or away from it."""
    box = page.locator("[data-chart]").first.bounding_box()
    page.mouse.move(0, 0)
    page.evaluate(NEXT_FRAME)
    page.evaluate("window.texts = []")
    if x is not None:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + box["height"] / 3)
    page.evaluate("dispatchEvent(new CustomEvent('theme'))")
    page.evaluate(NEXT_FRAME)
    return page.evaluate("window.texts")


def written(seconds: int, zone: ZoneInfo, how: str = "%Y-%m-%d %H:%M") -> str:
    return f"{datetime.fromtimestamp(seconds, zone):{how}}"


@pytest.mark.parametrize(
    ("opening", "in_new_york", "in_kolkata"),
    [
        ("2024-01-08T14:30:00+00:00", "2024-01-08 09:30", "2024-01-08 20:00"),
        ("2024-07-08T13:30:00+00:00", "2024-07-08 09:30", "2024-07-08 19:00"),
    ],
)
def test_axis_crosshair_and_legend_say_the_bars_times_in_the_zone(visit, year, opening, in_new_york, in_kolkata):
    page = visit(year, f"/symbols/YEAR?around={opening.replace('+', '%2B')}", zone="Asia/Kolkata")
    page.evaluate(NOTE_TEXTS)
    answer = data_of(page, year)
    assert answer["time"][0] == datetime.fromisoformat(opening).timestamp()
    kolkata = own_name(page)
    zones = (("UTC", UTC_ZONE, opening[:16].replace("T", " ")), ("New York", NEW_YORK, in_new_york))
    for name, zone, first in (*zones, (kolkata, KOLKATA, in_kolkata)):
        choose(page, name)
        assert written(answer["time"][0], zone) == first
        assert page.inner_text("#around tbody tr:has-text('stored') th >> nth=0")[:13] == first[:13]
        texts = drawn(page)
        assert legend(page, "time") == f"{written(answer['time'][-1], zone)} {name}"
        clocks = [text for text in texts if re.fullmatch(r"\d\d:\d\d", text)]
        assert len(clocks) > 2
        assert set(clocks) <= {written(at, zone, "%H:%M") for at in answer["time"]}
        texts = drawn(page, 0.4)
        under = legend(page, "time")
        assert under in texts
        # it is the bar whose prices stand beside it
        at = [f"{written(at, zone)} {name}" for at in answer["time"]].index(under)
        assert [legend(page, part) for part in ("open", "close")] == [
            f"{answer[part][at]:,.2f}" for part in ("open", "close")
        ]


def test_a_day_begins_on_the_axis_at_midnight_of_the_zone(visit, year):
    page = visit(year, "/symbols/YEAR?around=2024-01-09T18:30:00%2B00:00", zone="Asia/Kolkata")
    page.evaluate(NOTE_TEXTS)
    kolkata = own_name(page)
    days = {}
    for name in ("UTC", "New York", kolkata):
        choose(page, name)
        # the month beside a price is no day: of the numbers only the axis' are whole
        days[name] = {text for text in drawn(page) if re.fullmatch(r"\d{1,2}", text)}
    assert "10" in days[kolkata]
    assert "10" not in days["UTC"] | days["New York"]


def test_switch_keeps_the_place_and_the_picture_says_the_zone(visit, year):
    page = visit(year, "/symbols/YEAR")
    page.evaluate(NOTE_TEXTS)
    page.focus("[data-chart]")
    for _ in range(12):
        page.keyboard.press("+")
        page.evaluate(NEXT_FRAME)
    page.wait_for_selector(".legend:has-text('1 min candles')")

    def title() -> str:
        page.evaluate("window.texts = []")
        with page.expect_download():
            page.click("[data-png]")
        return next(text for text in page.evaluate("window.texts") if text.startswith("YEAR · Candles"))

    span = re.search(r"(\S+ \S+) to (\S+ \S+) UTC", title())
    choose(page, "New York")
    there = [datetime.fromisoformat(f"{one}Z").astimezone(NEW_YORK) for one in span.groups()]
    first, last = (f"{one:%Y-%m-%d %H:%M}" for one in there)
    assert title() == f"YEAR · Candles · {first} to {last} New York · 1 min candles"
    assert page.get_attribute("[data-follow]", "title").endswith("times in UTC")


def test_daily_candles_keep_their_days_in_every_zone(visit, year):
    page = visit(year, "/symbols/YEAR?timeframe=1d", zone="Pacific/Kiritimati")
    page.evaluate(NOTE_TEXTS)
    seen = []
    for _ in range(3):
        texts = drawn(page)
        texts += drawn(page, 0.5)
        seen.append((legend(page, "time"), page.text_content("[data-summary]"), sorted(set(texts))))
        page.keyboard.press("z")
        page.evaluate(NEXT_FRAME)
    assert seen[0] == seen[1] == seen[2]
    assert "10 points from 2024-01-08 to 2024-07-12, 1-day candles" in seen[0][1]
    assert seen[0][0] in seen[0][2]
    assert re.fullmatch(r"2024-0[17]-\d\d", seen[0][0])


def test_autumns_hour_that_comes_twice_is_drawn(visit, example):
    start = int(datetime(2024, 11, 3, 3, tzinfo=UTC).timestamp())
    times = [start + 1_800 * step for step in range(10)]
    flat = {part: [100.0] * 10 for part in ("open", "high", "low", "close")}
    page = visit(example.url, "/jobs")
    page.route(
        "**/candles", lambda route: route.fulfill(json={"time": times, "candle": "30m", "timeframe": "30m", **flat})
    )
    page.goto(f"{example.url}/runs/3")
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    page.evaluate(NOTE_TEXTS)
    choose(page, "New York")
    candles = "[data-chart=candles]"
    assert legend(page, "time", candles) == "2024-11-03 02:30 New York"
    box = page.locator(candles).bounding_box()
    seen = []
    for x in range(4, int(box["width"]) - 60, 20):
        page.mouse.move(box["x"] + x, box["y"] + 100)
        page.evaluate(NEXT_FRAME)
        seen.append(legend(page, "time", candles)[11:16])
    clocks = [one for at, one in enumerate(seen) if at == 0 or one != seen[at - 1]]
    assert clocks[-10:] == ["23:00", "23:30", "00:00", "00:30", "01:00", "01:30", "01:00", "01:30", "02:00", "02:30"]


def test_line_by_the_day_keeps_its_days(visit, example):
    days = [int(datetime(2024, 1, day, tzinfo=UTC).timestamp()) for day in range(2, 30)]
    values = {name: [float(at) for at in range(28)] for name in ("strategy", "hold", "hit")}
    page = visit(example.url, "/jobs")
    page.route("**/equity", lambda route: route.fulfill(json={"time": days, **values}))
    page.goto(f"{example.url}/runs/3")
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    choose(page, "New York")
    assert legend(page, "time", "[data-chart=lines]") == "2024-01-29"
    assert page.text_content("[data-summary] >> nth=0").startswith("28 points from 2024-01-02 to 2024-01-29; ")
    # half-hours beside it are moments
    assert legend(page, "time", "[data-chart=candles]").endswith(" New York")


def test_page_of_a_symbol_looks_well_in_the_exchanges_zone(visit, year, check_looks):
    page = visit(year, "/symbols/YEAR")
    choose(page, "New York")
    check_looks(page, "zone-symbol")
