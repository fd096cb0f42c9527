"""What a chart of candles says of itself, and how it is moved over a history with holes of years."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

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
from shared.testing.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

#: (first day, day after the last, price): so cheap at first that an axis with room below reaches under zero
CHAPTERS = (
    (datetime(2013, 10, 7, tzinfo=UTC), datetime(2013, 10, 12, tzinfo=UTC), 1.5),
    (datetime(2019, 2, 11, tzinfo=UTC), datetime(2019, 2, 16, tzinfo=UTC), 270.0),
    (datetime(2024, 3, 25, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC), 500.0),
)
#: minutes of VIX that are missing
GAP = (900, 981)
WHOLE = "HOLES · Candles · 2013-10-07 13:30 to 2024-05-31"

NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
#: notes every text a canvas writes, and whether all of it is on the canvas
NOTE_TEXTS = """() => {
  window.texts = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, ...more) {
    const { a, e } = this.getTransform();
    const width = this.measureText(text).width * a;
    const start = x * a + e - ({ center: width / 2, right: width, end: width }[this.textAlign] ?? 0);
    if (text) window.texts.push({ text, cut: start < -1 || start + width > this.canvas.width + 1 });
    write.call(this, text, x, ...more);
  };
}"""
#: red, green, blue and opacity of the pixels of some rows of a picture, from the top
ROWS = """async ({ source, rows }) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  return rows.map((row) => {
    const found = pen.getImageData(0, row, image.width, 1).data;
    return Array.from({ length: image.width }, (_, at) => [...found.slice(4 * at, 4 * at + 4)]);
  });
}"""

Pixel = tuple[int, int, int, int]


@pytest.fixture(scope="module")
def charts(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOLES: three spans with years between them. NEAR: their second one, and the last days.

    VIX: five sessions of minutes, 81 of them missing in one place.
    """
    home = tmp_path_factory.mktemp("charts")
    parts = []
    for start, end, price in CHAPTERS:
        bars = reverting_bars("HOLES", start, end, seed=3)
        parts.append(bars.with_columns(pl.col("open", "high", "low", "close") * (price / 100)))
    pl.concat(parts).drop("source").write_parquet(home / "HOLES.parquet")
    near = pl.concat([parts[1], parts[2].tail(4 * 390)]).with_columns(symbol=pl.lit("NEAR"))
    near.drop("source").write_parquet(home / "NEAR.parquet")
    week = reverting_bars("WEEK", *CHAPTERS[1][:2], seed=4).drop("source").with_row_index()
    kept = week.filter(~pl.col("index").is_between(*GAP, closed="left")).drop("index")
    # of an index, a minute without a bar is a gap
    kept.with_columns(symbol=pl.lit("VIX")).write_parquet(home / "VIX.parquet")
    with fresh_database(postgres_url) as url:
        settings = Settings(database_url=SecretStr(url), home=home)
        with assemble(settings) as wired, handlers(settings) as known:
            for name in ("HOLES", "NEAR", "VIX"):
                wired.intake.submit_import(ImportFiles(path=str(home / f"{name}.parquet")))
            assert [job.error for job in run_pending(wired.resources.queue, known)] == [None] * 3
        with service_process("ingestion_service.app", "ingestion", url, home) as served:
            yield served.url


def zoom(page: Page, key: str, times: int) -> None:
    page.focus("[data-chart]")
    for _ in range(times):
        page.keyboard.press(key)
        page.evaluate(NEXT_FRAME)


def zoom_to_minutes(page: Page) -> None:
    zoom(page, "+", 12)
    page.wait_for_selector(".legend:has-text('1 min candles')")


def picture(page: Page) -> tuple[str, str]:
    """Return the chart's PNG as a data address, and its title."""
    page.evaluate("window.texts = []")
    with page.expect_download() as download:
        page.click("[data-png]")
    [title, *_] = [
        one["text"] for one in page.evaluate("window.texts") if " UTC" in one["text"] and " · " in one["text"]
    ]
    content = base64.b64encode(Path(download.value.path()).read_bytes()).decode()
    return f"data:image/png;base64,{content}", title


def shows_all(page: Page) -> None:
    eventually(lambda: picture(page)[1].startswith(WHOLE), timeout=15, what=f"a chart that shows {WHOLE}")


def opened(visit, charts: str, path: str, **how: str) -> Page:
    page = visit(charts, path, **how)
    page.evaluate(NOTE_TEXTS)
    return page


def luminance(pixel: Pixel) -> float:
    parts = [value / 255 for value in pixel[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Pixel, other: Pixel) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_a_chart_says_how_long_its_candles_are(visit, charts):
    page = opened(visit, charts, "/symbols/HOLES")
    told = httpx.get(f"{charts}/symbols/HOLES/chart").json()
    assert (told["timeframe"], told["candle"]) == ("1m", "10m")
    assert "1 min bars, drawn as 10 min candles" in page.inner_text(".legend")
    assert "1 min bars, drawn as 10 min candles" in page.text_content("[data-summary]")
    zoom_to_minutes(page)
    assert "drawn as" not in page.inner_text(".legend")
    page.select_option("select[name=timeframe]", "1d")
    page.click('button:text-is("Show")')
    page.wait_for_selector(".legend:has-text('1-day candles')")


def test_zooming_out_comes_back_over_holes_of_years(visit, charts):
    page = opened(visit, charts, "/symbols/HOLES")
    zoom_to_minutes(page)
    assert "from=" in page.get_attribute("[data-follow]", "href")
    zoom(page, "-", 30)
    page.wait_for_selector("[data-follow]:not([href*='from=']):not([href*='to='])")
    shows_all(page)


def test_panning_goes_on_behind_a_hole(visit, charts):
    page = opened(visit, charts, "/symbols/NEAR")
    zoom_to_minutes(page)

    def before_the_hole() -> bool:
        zoom(page, "ArrowLeft", 10)
        first = picture(page)[1].split(" · ")[2][:4]
        return int(first) < 2024 and page.locator(".legend:has-text('1 min candles')").count() == 1

    eventually(before_the_hole, timeout=120, what="minutes from before 2024")


@pytest.mark.parametrize("way", ["Home", "double click"])
def test_all_of_history_is_one_step_away(visit, charts, way):
    page = opened(visit, charts, "/symbols/HOLES")
    zoom_to_minutes(page)
    with page.expect_response(lambda answer: answer.url.endswith("/symbols/HOLES/chart")):
        page.keyboard.press("Home") if way == "Home" else page.dblclick("[data-chart]", position={"x": 400, "y": 150})
    shows_all(page)


def test_the_end_key_leads_to_the_last_bar(visit, charts):
    page = opened(visit, charts, "/symbols/HOLES")
    zoom_to_minutes(page)
    page.keyboard.press("End")
    eventually(lambda: "to 2024-05-31 19:59 UTC" in picture(page)[1], timeout=15, what="the last minute")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_gap_is_wide_and_stands_out_and_its_length_is_told(visit, charts, theme):
    page = opened(visit, charts, "/symbols/VIX", theme=theme)
    page.mouse.move(0, 0)
    source, title = picture(page)
    assert title == "VIX · Candles · 2019-02-11 14:30 to 2019-02-15 20:59 UTC · 1 min candles"
    rows: list[list[Pixel]] = page.evaluate(ROWS, {"source": source, "rows": [2, *range(34, 44)]})
    background = rows[0][0]
    assert {pixel[3] for row in rows for pixel in row} == {255}
    # one of the rows is no line of the grid, and above all prices
    row = next(one for one in rows[1:] if one[3] == background)[:-100]
    seen = [at for at, pixel in enumerate(row) if contrast(pixel, background) >= 3]
    assert 5 <= seen[-1] - seen[0] <= 8
    band = [pixel for pixel in row[seen[0] : seen[-1]] if pixel != background]
    assert len(band) == seen[-1] - seen[0]
    box = page.locator("[data-chart]").bounding_box()
    page.mouse.move(box["x"] + (seen[0] + seen[-1]) / 2, box["y"] + 60)
    page.wait_for_selector(".legend:has-text('81 gap minutes')")


def test_no_label_is_cut_and_no_price_is_below_zero(visit, charts):
    page = opened(visit, charts, "/symbols/HOLES")
    for key in ("Home", *["ArrowLeft", "+"] * 12, "Home"):
        page.evaluate("window.texts = []")
        zoom(page, key, 1)
        drawn = page.evaluate("window.texts")
        assert [one["text"] for one in drawn if one["cut"] or one["text"].startswith(("-", "−"))] == []
    eventually(lambda: picture(page)[1].startswith(WHOLE), timeout=15, what="all of it")
    assert {"0.00", "200.00"} <= {one["text"] for one in page.evaluate("window.texts")}
    page.evaluate("window.texts = []")
    page.keyboard.press("t")
    page.evaluate(NEXT_FRAME)
    assert {"0.00", "200.00"} <= {one["text"] for one in page.evaluate("window.texts")}


def test_the_table_holds_the_candles_that_are_drawn(visit, charts):
    page = opened(visit, charts, "/symbols/HOLES")
    answers: list[dict] = []
    page.on("response", lambda answer: answers.append(answer.json()) if "/chart?" in answer.url else None)
    zoom_to_minutes(page)
    with page.expect_download() as download:
        page.click("text=These candles (CSV)")
    assert download.value.suggested_filename == "HOLES-candles.csv"
    table = pl.read_csv(download.value.path(), try_parse_dates=True)
    assert table["ts"].dt.epoch("s").to_list() == answers[-1]["time"]
    assert table["close"].to_list() == answers[-1]["close"]
    assert set(table["candle"]) == {"1m"}
