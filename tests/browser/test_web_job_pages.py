"""Job pages with work in every state, clean in both themes; then the running one is called off."""

from __future__ import annotations

from uuid import uuid4

import pytest

from shared.jobs.model import Outcome, Report, Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Database

pytestmark = pytest.mark.browser


@pytest.fixture
def busy(start_example):
    """A service whose queue holds jobs in every state, and two workers, one of them lost."""
    served = start_example()
    database = Database(served.database_url, application_name="test")
    queue = Queue(database)
    token = uuid4()
    kinds = ["training.train", "simulation.sweep", "features.build"]
    ids = queue.submit([Submission(kind=kinds[i % 3], payload={"symbol": "SPY", "fold": i}) for i in range(12)])
    held = [job.id for job in queue.claim(kinds, 5, token, "w-1").jobs]
    queue.heartbeat(token, {held[0]: Report(0.63, "fold 4 of 6"), held[1]: Report(0.21, "setting 210 of 1,000")})
    queue.complete(held[2], token, Outcome(result={"sharpe": 1.84, "trades": 412}))
    queue.fail(held[3], token, "Traceback (most recent call last):\n  ...\nMemoryError: fold 4 of 6", retry=False)
    queue.fail(held[4], token, "ConnectionError: the provider did not answer", retry=True)
    queue.cancel(ids[-1])
    with database.transaction() as conn:
        conn.execute(
            "insert into jobs.worker (id, kinds, last_seen) values ('w-5', '{}', now() - interval '4 minutes')"
        )
    yield served, held
    database.close()


def test_job_pages_are_clean_with_jobs_in_every_state_and_a_running_one_is_called_off(busy, visit, check_looks):
    served, held = busy
    page = visit(served.url, "/jobs")
    page.wait_for_selector('#live[data-state="live"]')
    check_looks(page, "busy")
    text = page.inner_text("main")
    for word in (
        "waiting",
        "running",
        "done",
        "failed",
        "cancelled",
        "MemoryError: fold 4 of 6",
        "lost, seen 4 min ago",
    ):
        assert word in text
    for name, job_id in zip(
        ("running", "done", "failed", "retried"), (held[0], held[2], held[3], held[4]), strict=True
    ):
        check_looks(visit(served.url, f"/jobs/{job_id}"), f"job-{name}")
    page = visit(served.url, f"/jobs/{held[0]}")
    page.click("text=Cancel the job")
    page.wait_for_selector('.st[data-look="off"] >> text=cancelled')
    assert page.locator("text=Cancel the job").count() == 0
    page.click("text=Do it again")
    page.wait_for_selector('.st[data-look="wait"] >> text=waiting')
    assert int(page.url.rsplit("/", 1)[1]) > held[0]
