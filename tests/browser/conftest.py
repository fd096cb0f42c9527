"""Browser tests: Chromium, driven by Playwright. Other services' pages are tested with the same fixtures.

@pytest.mark.browser
def test_front_page(visit, service):
    page = visit(base_url, "/", theme="light", width=390)     # waits for html[data-ready]; watches what goes wrong
    assert axe(page) == [] and layout_faults(page) == []
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
from browser_service import Served, service_process

from shared.testing.postgres import fresh_database

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: on the wire, as a browser asks for them
PLAIN_BYTES, CHART_BYTES = 60_000, 250_000
LOADED_BYTES = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, entry) => sum + entry.transferSize, 0)"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM.exists():
        return
    skip = pytest.mark.skip(reason=f"no Chromium at {CHROMIUM}: install it or set CHROMIUM")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(skip)


@pytest.fixture
def start_example(postgres_url: str, tmp_path: Path) -> Iterator[Callable[[], Served]]:
    """Start a tiny service with a database of its own; for tests that stop or freeze it."""
    with ExitStack() as stack:

        def start() -> Served:
            database_url = stack.enter_context(fresh_database(postgres_url))
            return stack.enter_context(service_process("web_example.app", "training", database_url, tmp_path))

        yield start


@pytest.fixture(scope="session")
def example(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The tiny service, shared by tests that leave it running."""
    home = tmp_path_factory.mktemp("example")
    with (
        fresh_database(postgres_url) as database_url,
        service_process("web_example.app", "training", database_url, home) as served,
    ):
        yield served


# by module, not by session: while playwright runs, its event loop stands in the way of every other test's asyncio.run
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """What went wrong on a page while it was open."""

    faults: list[str]


Visit = Callable[..., "Page"]


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Open a page and wait until it is ready: `visit(base_url, path, theme="dark", width=1440, status=200)`.

    `zone` is that of the browser, the machine's where it is not given. Pages of one test share a browser context (and
    so the stream worker). The test fails when any page logged an error, asked another host, or broke the content
    policy.
    """
    faults: list[str] = []
    contexts: dict[tuple[str, int, str | None], object] = {}
    with ExitStack() as stack:

        def open_page(
            base_url: str,
            path: str,
            *,
            theme: str = "dark",
            width: int = 1440,
            status: int = 200,
            zone: str | None = None,
        ) -> Page:
            context = contexts.get((theme, width, zone))
            if context is None:
                context = chromium.new_context(
                    color_scheme=theme, viewport={"width": width, "height": 900}, timezone_id=zone
                )
                stack.callback(context.close)
                contexts[theme, width, zone] = context
            page = context.new_page()
            address = base_url + path

            def said(message: object) -> None:
                # Chromium reports an error status of the page itself as a console error
                own = status != 200 and message.location.get("url") == address
                # a refused form is an answer, and a server that a test stopped is refused by its own stream
                own = own or "status of 422" in message.text or "ERR_CONNECTION_REFUSED" in message.text
                if message.type in ("error", "warning") and not own:
                    faults.append(f"{address}: {message.text}")

            page.on("console", said)
            page.on("pageerror", lambda error: faults.append(f"{address}: {error}"))
            page.on(
                "request",
                lambda request: (
                    None
                    if request.url.startswith((base_url, "data:", "blob:"))
                    else faults.append(f"{address} asked {request.url}")
                ),
            )
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == status
            page.wait_for_selector('html[data-ready="1"]', state="attached", timeout=15_000)
            return page

        yield open_page
    assert faults == []


def axe(page: Page) -> list[str]:
    """Violations of WCAG 2.2 A and AA that axe finds, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    # what passed is neither gathered nor sent: on a long table that costs more than looking
    options = {"runOnly": {"type": "tag", "values": tags}, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['target']} {node.get('failureSummary', '')}" for one in found for node in one["nodes"]]


def layout_faults(page: Page) -> list[str]:
    """Sideways scroll, cut or overlapping chart labels, and texts that only a bug writes."""
    return page.evaluate((Path(__file__).parent / "layout_check.js").read_text())


@pytest.fixture
def check() -> Callable[[Page], None]:
    """Fail when axe or the layout check finds anything on a page."""

    def check_page(page: Page) -> None:
        assert layout_faults(page) == []
        assert axe(page) == []

    return check_page


@pytest.fixture
def check_files() -> Callable[[Page], None]:
    """Fail when a link to a CSV file leads to anything else, asked for as a browser asks that follows it."""

    def check_links(page: Page) -> None:
        for link in page.locator("a:text-matches('CSV')").all():
            address = urljoin(page.url, link.get_attribute("href"))
            answer = page.request.get(address, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
            assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/csv"), address
            assert answer.headers["content-disposition"].startswith("attachment"), address
            assert len(answer.text().splitlines()) > 1, address

    return check_links


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Keep a screenshot to be looked at, in the folder $BARSMITH_PICTURES; nothing is drawn without one."""
    folder = os.environ.get("BARSMITH_PICTURES")

    def take(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return take


@pytest.fixture
def check_looks(check: Callable[[Page], None], picture: Callable[[Page, str], None]) -> Callable[..., None]:
    """Check what a page weighs and how it looks: as it was opened, dark and wide, then light and narrow.

    Each theme and each width once: colours do not depend on the width.
    """

    def check_both(page: Page, name: str, *, most: int | None = None) -> None:
        charts = page.locator("[data-summary]").all_text_contents()
        assert [summary for summary in charts if "points from" not in summary] == []
        assert 1_000 < page.evaluate(LOADED_BYTES) <= (most or (CHART_BYTES if charts else PLAIN_BYTES))
        picture(page, f"{name}-dark-1440")
        check(page)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 390, "height": 900})
        # charts are drawn anew in the next frame, bars of progress a moment later
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
        picture(page, f"{name}-light-390")
        check(page)

    return check_both
