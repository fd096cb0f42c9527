"""The simulation service's pages in Chromium: runs, one run, its sweep, comparison, own signals, the tear sheet."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from browser_service import service_process
from pydantic import SecretStr

from shared.contracts.datasets import BARS_1M, FEATURES, PREDICTIONS
from shared.contracts.messages import Setting, Sweep, Window
from shared.contracts.sessions import sessions_between
from shared.testing.jobs import run_pending
from shared.testing.postgres import fresh_database
from simulation_service.settings import Settings
from simulation_service.wiring import assemble
from simulation_service.worker import handlers

pytestmark = pytest.mark.browser

MODEL = hashlib.sha256(b"a model").hexdigest()
WINDOW = Window(start=datetime(2024, 1, 2, tzinfo=UTC), end=datetime(2024, 3, 1, tzinfo=UTC))
GRID = tuple(
    Setting(threshold=threshold, hold_bars=hold, side="long_short" if threshold > 5e-4 else "long_flat", z_limit=limit)
    for threshold in (0.0001, 0.0005, 0.001, 0.002)
    for hold in (0, 15, 60)
    for limit in (None, 3.0)
)


def fill_lake(lake):
    """Two months of one symbol, predictions that know a little, and a regime that changes with the day."""
    span = (int(WINDOW.start.timestamp() * 1e6), int(WINDOW.end.timestamp() * 1e6))
    ts = sessions_between(*span).expected_minutes()
    rng = np.random.default_rng(11)
    moves = rng.normal(0, 4e-4, len(ts))
    close = 100 * np.exp(np.cumsum(moves))
    stamps = pl.Series(ts.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    opens = np.concatenate([[100.0], close[:-1]])
    prices = {"open": opens, "high": np.maximum(opens, close), "low": np.minimum(opens, close), "close": close}
    names = pl.DataFrame({"symbol": ["SPY"] * len(ts), "ts": stamps})
    bars = names.with_columns(**prices, volume=pl.lit(1000.0), source=pl.lit("test"))
    lake.upsert(BARS_1M, bars)
    future = np.concatenate([np.convolve(moves, np.ones(15), "valid")[1:], np.zeros(15)])
    said = pl.Series("prediction", 0.1 * future + rng.normal(0, 7e-4, len(ts)))
    lake.upsert(PREDICTIONS, names.with_columns(said, model=pl.lit(MODEL), fold=pl.lit(-1, pl.Int16)))
    state = (pl.col("ts").dt.ordinal_day() % 3).cast(pl.Float32).alias("regime_vix")
    lake.upsert(FEATURES, names.with_columns(state, feature_set=pl.lit("states-0a1b2c3d")))


@pytest.fixture(scope="module")
def simulation(postgres_url, tmp_path_factory):
    """The service in a process of its own: (url, a run that was stressed, another run, its sweep, own signals)."""
    home = tmp_path_factory.mktemp("simulation")
    with fresh_database(postgres_url) as url:
        settings = Settings(database_url=SecretStr(url), home=home)
        with assemble(settings) as wired, handlers(settings) as known:
            fill_lake(wired.resources.lake)
            job = wired.sweeps.submit(Sweep(model=MODEL, symbol="SPY", window=WINDOW, settings=GRID))
            run_pending(wired.resources.queue, known)
            sweep = wired.resources.queue.job(job).result["fingerprint"]
            wired.stress.submit(f"{sweep}-9", draws=200, seed=7)
            content = "ts,position\n2024-01-03T14:40:00Z,1\n2024-01-03T16:40:00Z,0\n2024-02-05T15:00:00Z,-1\n"
            own = wired.signals.keep(content.encode(), symbol="SPY", name="by hand").fingerprint
            setting = Setting(threshold=0, signal="position", side="long_short")
            wired.sweeps.submit(Sweep(model=own, symbol="SPY", window=WINDOW, settings=(setting,)))
            assert [job.error for job in run_pending(wired.resources.queue, known)] == [None, None]
        with service_process("simulation_service.app", "simulation", url, home) as served:
            yield served.url, f"{sweep}-9", f"{sweep}-2", sweep, own, settings


#: other lists are among the pages of a whole house
PAGES = {
    "runs": "/?min_trades=1",
    "run": "/runs/{0}?per_page=10",
    "compare": "/compare?run={0}&run={1}",
    "signals": "/signals",
    "signal": "/signals/{3}",
}


@pytest.mark.parametrize("page", PAGES)
def test_page_is_clean_in_both_themes_and_widths(simulation, visit, check_looks, check_files, page):
    url, *names, _ = simulation
    # how light a run is is checked in a whole house; this one has hundreds of trades on its candles
    most = 350_000 if page == "run" else None
    tab = visit(url, PAGES[page].format(*names))
    check_looks(tab, f"simulation-{page}", most=most)
    check_files(tab)


def test_columns_behind_the_boxes_to_compare_are_hidden_by_their_names(simulation, visit):
    url, *_ = simulation
    page = visit(url, "/?sort=-sharpe&min_trades=1")
    before = page.locator("#runs tbody tr").first.locator("th, td:visible").all_inner_texts()
    heads = page.locator("#runs thead th:visible").all_inner_texts()
    page.click("#runs details.columns summary")
    page.locator("#runs details.columns").get_by_label("symbol", exact=True).uncheck()
    page.locator("#runs details.columns").get_by_label("window", exact=True).uncheck()
    with page.expect_navigation():
        page.click("#runs details.columns button")
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    places = [place for place, head in enumerate(heads) if head not in ("symbol", "window")]
    assert len(places) == len(heads) - 2
    assert page.locator("#runs thead th:visible").all_inner_texts() == [heads[place] for place in places]
    shown = page.locator("#runs tbody tr").first.locator("th, td:visible").all_inner_texts()
    assert shown == [before[place] for place in places]
    assert page.locator("#runs [data-check]:visible").count() == page.locator("#runs tbody tr").count()
    assert "min_trades=1" in page.url


def test_checked_runs_are_compared(simulation, visit):
    url, *_ = simulation
    page = visit(url, "/?sort=-sharpe")
    for box in page.locator("[data-check]").all()[:2]:
        box.check()
    with page.expect_navigation():
        page.click("[data-compare]")
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    assert "2 runs; differences are to the first" in page.inner_text(".lead")
    assert "points from" in page.locator("[data-summary]").first.text_content()


def test_a_stress_test_started_by_the_form_shows_its_figures_without_a_reload(simulation, visit):
    url, _, run, *_, settings = simulation
    page = visit(url, f"/runs/{run}")
    assert page.query_selector("#stress table") is None
    page.fill("#f-draws", "50")
    with page.expect_navigation():
        page.click("#stress .btn.primary")
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    assert page.query_selector("#stress [data-job]") is not None
    page.hover("h1")
    with assemble(settings) as wired, handlers(settings) as known:
        run_pending(wired.resources.queue, known)
    page.wait_for_selector("#stress table", timeout=15_000)
    assert "50 draws (seed 7)" in page.inner_text("#stress")


def test_a_heatmaps_axes_are_in_the_address(simulation, visit):
    url, *names, _ = simulation
    page = visit(url, f"/sweeps/{names[2]}")
    page.select_option("#f-y", "z_limit")
    page.select_option("#f-figure", "profit_factor")
    with page.expect_navigation():
        page.click("form[aria-label='Axes of the heatmap'] button")
    assert "y=z_limit" in page.url
    assert "Profit factor by z limit and threshold" in page.inner_text("main")


def test_a_file_is_brought_and_simulated_through_the_pages(simulation, visit, tmp_path):
    url, *_ = simulation
    page = visit(url, "/signals")
    file = tmp_path / "mine.csv"
    file.write_text("ts,prediction\n2024-01-03T14:40:00Z,0.5\n2024-01-03T15:40:00Z,-0.5\n")
    page.set_input_files("#f-file", str(file))
    page.fill("#f-symbol", "SPY")
    with page.expect_navigation():
        page.click("#bring button.primary")
    assert "mine.csv" in page.inner_text("h1")
    with page.expect_navigation():
        page.click(".head .btn.primary")
    assert page.input_value("#f-symbol") == "SPY"
    assert len(page.input_value("#f-model")) == 64


def test_the_tear_sheet_asks_for_nothing_and_prints(simulation, chromium, picture):
    url, run, *_ = simulation
    context = chromium.new_context(viewport={"width": 1000, "height": 900})
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{url}/runs/{run}/tearsheet")
    picture(page, "simulation-tearsheet")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.emulate_media(media="print")
    assert len(page.pdf()) > 10_000
    assert asked == [f"{url}/runs/{run}/tearsheet"]
    context.close()
