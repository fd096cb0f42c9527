"""Times of pages in the zone that was chosen: UTC, the exchange's, the browser's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from shared.jobs.model import Outcome, Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Database

if TYPE_CHECKING:
    from browser_service import Served
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

KOLKATA, NEW_YORK = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")
CREATED = "tr[data-job] time[data-at] >> nth=0"
HEADING = "th:has-text('created')"


@pytest.fixture
def queue(example: Served) -> Iterator[Queue]:
    """The example's queue, with a job that nobody has taken."""
    database = Database(example.database_url, application_name="test")
    queue = Queue(database)
    queue.submit([Submission(kind="features.build", payload={})])
    yield queue
    for job in queue.jobs(state="PENDING", per_page=500)[0]:
        queue.cancel(job.id)
    database.close()


def told(url: str, name: str) -> datetime:
    return datetime.fromisoformat(httpx.get(url).json()[name])


def zone_shown(page: Page) -> str:
    return page.get_attribute("#zone", "aria-label").removeprefix("Time zone: ")


@pytest.mark.usefixtures("queue")
def test_zone_goes_round_from_utc_and_times_and_their_headings_follow(visit, example):
    page = visit(example.url, "/jobs", zone="Asia/Kolkata")
    job = page.get_attribute("tr[data-job] >> nth=0", "data-job")
    created = told(f"{example.url}/jobs/{job}", "created_at")
    own = zone_shown_after(page, 2)
    for key, name, zone in (("", "UTC", UTC), ("z", "New York", NEW_YORK), ("z", own, KOLKATA), ("z", "UTC", UTC)):
        if key:
            page.keyboard.press(key)
        assert zone_shown(page) == page.inner_text("#zone") == name
        assert page.inner_text(CREATED) == f"{created.astimezone(zone):%Y-%m-%d %H:%M}"
        assert page.inner_text(HEADING) == f"created ({name})"
        clock = f"{datetime.fromisoformat(page.get_attribute('#clock', 'datetime')).astimezone(zone):%Y-%m-%d %H:%M}"
        assert page.inner_text("footer .r") == f"{clock} {name}"


def zone_shown_after(page: Page, presses: int) -> str:
    """Return the zone so many presses further, and go back to the first of three."""
    for _ in range(presses):
        page.click("#zone")
    name = zone_shown(page)
    for _ in range(3 - presses):
        page.click("#zone")
    return name


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "Etc/GMT"])
def test_own_zone_is_left_out_where_it_is_one_of_the_others(visit, example, zone):
    page = visit(example.url, "/jobs", zone=zone)
    shown = [zone_shown(page)]
    for _ in range(2):
        page.keyboard.press("z")
        shown.append(zone_shown(page))
    assert shown == ["UTC", "New York", "UTC"]


@pytest.mark.usefixtures("queue")
def test_choice_is_kept_and_is_that_of_other_pages_and_tabs(visit, example):
    page, other = (visit(example.url, path, zone="Asia/Kolkata") for path in ("/jobs", "/"))
    page.keyboard.press("z")
    other.wait_for_selector('#zone[aria-label="Time zone: New York"]')
    assert page.inner_text("footer .r") == other.inner_text("footer .r")
    seen = page.inner_text(CREATED)
    page.reload()
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    assert (zone_shown(page), page.inner_text(CREATED)) == ("New York", seen)
    job = page.get_attribute("tr[data-job] >> nth=0", "data-job")
    created = told(f"{example.url}/jobs/{job}", "created_at").astimezone(NEW_YORK)
    page.click(f'tr[data-job="{job}"] a')
    page.wait_for_url("**/jobs/*")
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    assert page.inner_text("dt:text-is('created') + dd") == f"{created:%Y-%m-%d %H:%M:%S} New York"


def test_part_that_a_job_swaps_in_is_in_the_zone(visit, example, queue):
    [job] = queue.submit([Submission(kind="simulation.sweep", payload={})])
    page = visit(example.url, f"/jobs/{job}", zone="Asia/Kolkata")
    page.wait_for_selector('#live[data-state="live"]')
    page.keyboard.press("z")
    token = uuid4()
    queue.claim(["simulation.sweep"], 1, token, "w-1")
    page.wait_for_selector('.st[data-look="run"]')
    queue.complete(job, token, Outcome(result={"sharpe": 1.5}))
    page.wait_for_selector('.st[data-look="done"]')
    finished = told(f"{example.url}/jobs/{job}", "finished_at").astimezone(NEW_YORK)
    shown = page.inner_text("dt:text-is('finished') + dd")
    assert shown.startswith(f"{finished:%Y-%m-%d %H:%M:%S} New York, took")


def test_a_day_is_left_out_only_where_both_moments_have_it(visit, example):
    page = visit(example.url, "/jobs", zone="Asia/Kolkata")
    both = 'datetime="2024-07-02T03:30:00Z" data-since="2024-07-02T01:00:00Z"'
    apart = 'datetime="2024-07-02T04:30:00Z" data-since="2024-07-02T03:59:00Z"'  # over a midnight of New York
    winter = 'datetime="2024-01-02T04:59:59Z"'
    markup = "".join(f'<p><time data-at="second" {moment}></time></p>' for moment in (both, apart, winter))
    page.evaluate("(html) => { document.querySelector('main').innerHTML = html; }", markup)
    shown = []
    for _ in range(3):
        page.keyboard.press("z")
        shown.append(page.locator("main time").all_inner_texts())
    assert shown == [
        ["23:30:00", "2024-07-02 00:30:00", "2024-01-01 23:59:59"],
        ["09:00:00", "10:00:00", "2024-01-02 10:29:59"],
        ["03:30:00", "04:30:00", "2024-01-02 04:59:59"],
    ]


@pytest.mark.usefixtures("queue")
def test_no_time_is_seen_in_utc_before_it_is_in_the_zone(visit, example):
    page = visit(example.url, "/jobs")
    page.keyboard.press("z")
    # at the last moment of parsing, before any module has run
    page.add_init_script(
        "addEventListener('readystatechange', () => { window.early ??= document.querySelector('td time[data-at]')"
        "?.checkVisibility({ visibilityProperty: true }); }, true)"
    )
    page.reload()
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    assert page.evaluate("window.early") is False
    assert page.locator(CREATED).is_visible()


@pytest.mark.usefixtures("queue")
def test_page_without_scripts_is_in_utc(chromium, example):
    context = chromium.new_context(java_script_enabled=False, timezone_id="Asia/Kolkata")
    page = context.new_page()
    page.goto(f"{example.url}/jobs")
    job = page.get_attribute("tr[data-job] >> nth=0", "data-job")
    created = told(f"{example.url}/jobs/{job}", "created_at")
    assert page.inner_text(CREATED) == f"{created.astimezone(UTC):%Y-%m-%d %H:%M}"
    assert page.inner_text(HEADING) == "created (UTC)"
    context.close()


@pytest.mark.usefixtures("queue")
def test_switch_is_wide_enough_and_looks_well(visit, example, check_looks):
    page = visit(example.url, "/jobs", zone="America/Argentina/ComodRivadavia")
    for turn in range(3):
        box = page.locator("#zone").bounding_box()
        assert min(box["width"], box["height"]) >= 24
        check_looks(page, f"zone-{turn}")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.emulate_media(color_scheme="dark")
        page.keyboard.press("z")
    page.keyboard.press("?")
    assert "time zone" in page.inner_text("#keys dl")
