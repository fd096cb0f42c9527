"""The feature service's pages in Chromium: sets, one set, the catalogue, a symbol's columns and regimes."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from browser_service import service_process
from pydantic import SecretStr

from feature_service.settings import Settings
from feature_service.wiring import assemble
from feature_service.worker import handlers
from shared.contracts.datasets import BARS_1M
from shared.contracts.messages import BuildFeatures, Window
from shared.testing.jobs import run_pending
from shared.testing.markets import reverting_bars
from shared.testing.postgres import fresh_database

pytestmark = pytest.mark.browser

WINDOW = Window(start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2024, 3, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def features(postgres_url, tmp_path_factory):
    """The service in a process of its own, with everything built for one symbol."""
    home = tmp_path_factory.mktemp("features")
    with fresh_database(postgres_url) as url:
        settings = Settings(database_url=SecretStr(url), home=home)
        with assemble(settings) as wired, handlers(settings) as known:
            wired.resources.lake.upsert(BARS_1M, reverting_bars("SPY", WINDOW.start, WINDOW.end, seed=3))
            wired.builds.submit([BuildFeatures(symbol="SPY", window=WINDOW, feature_set="full")])
            assert [job.error for job in run_pending(wired.resources.queue, known)] == [None]
        with service_process("feature_service.app", "features", url, home) as served:
            yield served.url


PAGES = {
    "sets": "/",
    "set": "/sets/full?column=atr_14&sort=-ic",
    "unbuilt": "/sets/core",
    "builds": "/builds",
    "catalogue": "/catalogue",
    "symbol": "/features/SPY?feature_set=full",
    "regimes": "/regimes/SPY?feature_set=full",
}


@pytest.mark.parametrize("page", PAGES)
def test_page_is_clean_in_both_themes_and_widths(features, visit, check_looks, check_files, page):
    # regimes have three charts, each with its own series
    most = 350_000 if page == "regimes" else None
    tab = visit(features, PAGES[page])
    check_looks(tab, f"features-{page}", most=most)
    check_files(tab)


def test_columns_of_a_set_are_saved_as_they_are_sorted(features, visit):
    tab = visit(features, "/sets/full?sort=-ic")
    with tab.expect_download() as download:
        tab.click("#columns a:text-is('CSV')")
    rows = pl.read_csv(download.value.path())
    assert rows["name"].to_list() == tab.locator("#columns tbody th").all_inner_texts()
    assert rows.columns == ["name", "group", "missing", "mean", "sd", "constant", "psi", "ic", "ic_t", "cluster"]


def test_a_chosen_column_is_drawn_under_the_candles(features, visit):
    tab = visit(features, "/sets/full")
    tab.get_by_role("link", name="rsi_14", exact=True).click()
    tab.wait_for_selector('html[data-ready="1"]')
    assert "column=rsi_14" in tab.url
    legend = tab.locator("b[data-name=value]")
    assert 0 <= float(legend.inner_text()) <= 100
