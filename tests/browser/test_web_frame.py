"""Theme, keys, forms, tables and charts of the frame."""

from __future__ import annotations

import httpx
import pytest

pytestmark = pytest.mark.browser

NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

BACKGROUND = "getComputedStyle(document.body).backgroundColor"
DARK, LIGHT = "rgb(14, 19, 24)", "rgb(246, 247, 249)"


@pytest.mark.parametrize(("system", "first", "second"), [("dark", LIGHT, DARK), ("light", DARK, LIGHT)])
def test_theme_key_changes_something_at_each_press_and_is_kept(visit, example, system, first, second):
    page = visit(example.url, "/jobs", theme=system)
    assert page.evaluate(BACKGROUND) == second
    page.keyboard.press("t")
    assert page.evaluate(BACKGROUND) == first
    page.reload()
    assert page.evaluate(BACKGROUND) == first
    page.click("#theme")
    assert page.evaluate(BACKGROUND) == second
    page.click("#theme")
    assert page.get_attribute("#theme", "aria-label") == "Theme: system"


def test_stored_theme_stands_before_the_first_paint(visit, example):
    page = visit(example.url, "/jobs", theme="dark")
    page.keyboard.press("t")
    # the blocking script in the head has run by the time the body's first element exists
    page.add_init_script(
        "new MutationObserver((_, o) => { if (document.body) { window.early = document.documentElement.dataset.theme; "
        "o.disconnect(); } }).observe(document, {childList: true, subtree: true})"
    )
    page.reload()
    assert page.evaluate("window.early") == "light"


def test_keyboard_walks_filters_opens_and_leaves(visit, example):
    page = visit(example.url, "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.get_attribute("tr[aria-selected=true] a", "href") == page.get_attribute("tbody tr a", "href")
    page.keyboard.press("/")
    page.keyboard.type("jt?")
    assert page.input_value("[data-filter]") == "jt?"
    assert page.evaluate(BACKGROUND) == DARK
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.is_visible("#keys")
    page.keyboard.press("Escape")
    assert not page.is_visible("#keys")
    page.keyboard.press("j")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "/runs/" in page.url
    page.keyboard.press("g")
    with page.expect_navigation():
        page.keyboard.press("j")
    assert page.url.endswith("/jobs")


def test_table_sorts_filters_and_pages_in_the_address(visit, example):
    page = visit(example.url, "/")
    page.click("th >> text=symbol")
    page.wait_for_url("**sort=symbol*")
    assert page.get_attribute('th[aria-sort="ascending"]', "scope") == "col"
    page.fill("[data-filter]", "SPY")
    page.keyboard.press("Enter")
    page.wait_for_url("**symbol=SPY*")
    assert "sort=symbol" in page.url
    assert "83" in page.inner_text(".pager")
    page.go_back()
    page.wait_for_url(lambda url: "symbol=SPY" not in url)
    page.click("text=Next →")
    page.wait_for_url("**page=2*")
    assert "101–200 of 250" in page.inner_text(".pager")
    page.reload()
    assert "101–200 of 250" in page.inner_text(".pager")


def test_checked_rows_are_compared(visit, example):
    page = visit(example.url, "/")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    ids = page.eval_on_selector_all("input[data-check]:checked", "boxes => boxes.map((box) => box.value)")
    # the example has no such page: what counts is where the link leads
    page.route("**/compare?*", lambda route: route.fulfill(content_type="text/html", body="<title>compared</title>"))
    page.evaluate("document.querySelector('a[data-compare]').click()")
    page.wait_for_url(f"**/compare?ids={ids[0]}%2C{ids[1]}")


def test_refused_form_keeps_what_was_typed_and_names_the_field(visit, example, check):
    page = visit(example.url, "/")
    page.fill("#f-symbol", "nope!")
    page.fill("#f-folds", "99")
    with page.expect_response("**/runs") as answer:
        page.click("text=Start run")
    assert answer.value.status == 422
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    assert page.input_value("#f-symbol") == "nope!"
    assert page.get_attribute("#f-folds", "aria-invalid") == "true"
    described = page.get_attribute("#f-folds", "aria-describedby").split()[0]
    assert "less than or equal to 20" in page.inner_text(f"#{described}")
    assert "2 fields need another look" in page.inner_text(".summary")
    assert page.locator(".summary a").all_inner_texts() == ["Symbol", "Folds (purged)"]
    check(page)


def test_double_click_starts_one_job_and_back_does_not_start_another(visit, example):
    before = httpx.get(f"{example.url}/jobs").json()["total"]
    page = visit(example.url, "/")
    page.dblclick("text=Start run")
    page.wait_for_url("**/jobs/*")
    page.go_back()
    page.go_forward()
    assert httpx.get(f"{example.url}/jobs").json()["total"] == before + 1


def test_chart_shows_the_values_of_its_data_and_repaints_with_the_theme(visit, example):
    page = visit(example.url, "/runs/3")
    data = httpx.get(f"{example.url}/runs/3/equity").json()
    assert page.inner_text('.legend [data-name="strategy"]') == f"{data['strategy'][-1]:.2f}"
    summary = page.text_content("[data-summary] >> nth=0")
    assert summary.startswith("2,000 points from 2024-01-01 to 2024-03-24 UTC")
    picture = "document.querySelector('[data-chart] canvas').toDataURL().length"
    dark = page.evaluate(picture)
    page.keyboard.press("t")
    page.evaluate(NEXT_FRAME)
    assert page.evaluate(picture) != dark


def test_chart_keys_zoom_and_picture_downloads(visit, example):
    page = visit(example.url, "/runs/3")
    page.wait_for_selector('[data-chart="candles"] canvas')
    with page.expect_request(lambda request: "candles?from=" in request.url):
        page.focus('[data-chart="candles"]')
        for _ in range(6):
            page.keyboard.press("+")
            # the chart takes a zoom on at the next frame: keys faster than frames count once
            page.evaluate(NEXT_FRAME)
    with page.expect_download() as download:
        page.click("[data-png] >> nth=0")
    assert download.value.suggested_filename == "chart.png"


def test_lineage_lights_up_the_ancestors(visit, example):
    page = visit(example.url, "/runs/3")
    page.focus('[data-node="m017"]')
    lit = set(page.eval_on_selector_all(".n.hot", "nodes => nodes.map((node) => node.dataset.node)"))
    assert lit == {"m017", "m008", "m003", "m001", "m000"}


def test_plot_tells_the_nearest_point_by_arrow_keys(visit, example):
    page = visit(example.url, "/runs/3")
    page.focus("svg[data-tips] >> nth=0")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("[data-tip] >> nth=0").startswith("perfect 0.0")


def test_sibling_that_does_not_answer_is_shown_as_down(visit, example):
    page = visit(example.url, "/jobs")
    page.wait_for_selector('nav a[data-name="simulation"][data-state="down"]')


def test_chart_without_data_says_why_and_offers_retry(chromium, example):
    page = chromium.new_page()
    page.route("**/equity", lambda route: route.fulfill(status=503, json={"detail": "the lake cannot be read"}))
    page.goto(f"{example.url}/runs/3")
    page.wait_for_selector("text=the lake cannot be read")
    page.unroute("**/equity")
    page.click("text=Retry")
    page.wait_for_selector("[data-chart=lines] canvas")
    page.close()
