"""Live pages: a job goes from waiting to done without reload, eight tabs stay live, a frozen server is noticed."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from shared.jobs.model import Outcome, Report, Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Database
from shared.testing.waiting import eventually

pytestmark = pytest.mark.browser

LIVE = '#live[data-state="live"]'


@pytest.fixture
def queue(example) -> Iterator[Queue]:
    """The example's queue, with nothing waiting in it that an earlier test left."""
    database = Database(example.database_url, application_name="test")
    queue = Queue(database)
    for job in queue.jobs(state="PENDING", per_page=500)[0]:
        queue.cancel(job.id)
    yield queue
    database.close()


def test_job_started_by_the_form_moves_to_done_without_reload(visit, example, queue):
    page = visit(example.url, "/")
    page.fill("#f-symbol", "SPY")
    page.click("text=Start run")
    page.wait_for_url("**/jobs/*")
    page.wait_for_selector(LIVE)
    page.evaluate("window.neverReloaded = true")
    job_id = int(page.url.rsplit("/", 1)[1])
    assert page.inner_text('[data-f="state"]') == "waiting"

    token = uuid4()
    [job] = queue.claim(["training.train"], 1, token, "w-1").jobs
    assert job.id == job_id
    page.wait_for_selector('.st[data-look="run"]')
    queue.heartbeat(token, {job_id: Report(0.2, "fold 2 of 6")})
    page.wait_for_selector("text=fold 2 of 6")
    page.evaluate("{ const now = Date.now; Date.now = () => now() + 22_000; }")
    queue.heartbeat(token, {job_id: Report(0.42, "fold 3 of 6")})
    page.wait_for_selector("text=fold 3 of 6")
    assert page.inner_text('[data-f="percent"]') == "42 %"
    assert re.fullmatch(r"about (3\d s|1 min) left", page.inner_text('[data-f="left"]'))
    queue.complete(job_id, token, Outcome(result={"sharpe": 1.5}))
    page.wait_for_selector('.st[data-look="done"]')
    assert '"sharpe": 1.5' in page.locator('pre[aria-label="Result"]').inner_text()
    assert page.evaluate("window.neverReloaded")


def test_failed_job_shows_why_in_the_list(visit, example, queue):
    page = visit(example.url, "/jobs")
    page.wait_for_selector(LIVE)
    [job_id] = queue.submit([Submission(kind="features.build", payload={})])
    page.wait_for_selector("#new-jobs:visible")
    page.click("#new-jobs")
    page.wait_for_selector(f'tr[data-job="{job_id}"]')
    token = uuid4()
    queue.claim(["features.build"], 1, token, "w-2")
    queue.fail(job_id, token, "MemoryError: fold 4 of 6", retry=False)
    page.wait_for_selector(f'tr[data-job="{job_id}"] .err >> text=MemoryError: fold 4 of 6')
    assert page.inner_text(f'tr[data-job="{job_id}"] [data-f="state"]') == "failed"


def test_table_is_fetched_anew_when_a_job_of_its_kind_ends(visit, example, queue):
    page = visit(example.url, "/")
    page.wait_for_selector(LIVE)
    page.evaluate("document.querySelector('#runs').dataset.old = '1'")
    [job_id] = queue.submit([Submission(kind="training.train", payload={})])
    token = uuid4()
    eventually(lambda: queue.claim(["training.train"], 1, token, "w-1").jobs, what="the job")
    queue.complete(job_id, token, Outcome(result={}))
    page.wait_for_selector("#runs:not([data-old])")


def test_worker_that_fell_silent_is_shown_as_lost(visit, example, queue):
    with queue.database.transaction() as conn:
        conn.execute(
            "insert into jobs.worker (id, kinds, last_seen) "
            "values ('w-gone', '{training.train}', now() - interval '4 minutes')"
        )
    page = visit(example.url, "/jobs")
    row = page.locator('tr[data-worker="w-gone"]')
    assert "lost, seen 4 min ago" in row.inner_text()
    page.wait_for_selector(LIVE)
    page.evaluate("{ const now = Date.now; Date.now = () => now() + 180_000; }")
    page.wait_for_selector('tr[data-worker="w-gone"] >> text=lost, seen 7 min ago')
    with queue.database.transaction() as conn:
        conn.execute("update jobs.worker set last_seen = now() where id = 'w-gone'")
    page.wait_for_selector('tr[data-worker="w-gone"] .st[data-look="wait"]')
    queue.leave("w-gone")
    page.wait_for_selector('tr[data-worker="w-gone"]', state="detached")


def test_eight_tabs_are_live_over_one_stream(visit, example, queue):
    [job_id] = queue.submit([Submission(kind="simulation.sweep", payload={})])
    tabs = [visit(example.url, f"/jobs/{job_id}") for _ in range(8)]
    for tab in tabs:
        tab.wait_for_selector(LIVE)
    token = uuid4()
    queue.claim(["simulation.sweep"], 1, token, "w-1")
    queue.complete(job_id, token, Outcome(result={}))
    for tab in tabs:
        tab.wait_for_selector('.st[data-look="done"]')


def test_without_shared_worker_the_tab_has_a_stream_of_its_own(example, chromium):
    context = chromium.new_context()
    context.add_init_script("delete window.SharedWorker")
    page = context.new_page()
    page.goto(f"{example.url}/jobs")
    page.wait_for_selector(LIVE)
    context.close()


def test_frozen_server_turns_the_badge_stale_and_recovers_by_itself(visit, start_example):
    served = start_example()
    page = visit(served.url, "/jobs")
    page.wait_for_selector(LIVE)
    served.signal(signal.SIGSTOP)
    page.wait_for_selector('#live[data-state="stale"]', timeout=12_000)
    assert page.inner_text("#live") == "stale"
    served.signal(signal.SIGCONT)
    page.wait_for_selector(LIVE, timeout=10_000)


def test_stopped_server_turns_the_badge_reconnecting(chromium, start_example):
    served = start_example()
    page = chromium.new_page()
    page.goto(f"{served.url}/jobs")
    page.wait_for_selector(LIVE)
    served.process.kill()
    page.wait_for_selector('#live[data-state="reconnecting"]', timeout=10_000)
    page.close()


def test_sigterm_ends_the_service_within_five_seconds_with_a_stream_open(start_example):
    served = start_example()
    with httpx.stream("GET", f"{served.url}/events") as stream:
        assert next(stream.iter_lines()) == "event: snapshot"
        began = time.monotonic()
        served.process.terminate()
        served.process.wait(timeout=5)
        assert time.monotonic() - began < 5
