"""The heartbeat against the real queue."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from jobs_support import job, make_queue

from shared.jobs.heart import Heart
from shared.jobs.model import Report, Timing
from shared.jobs.postgres_transport import PostgresTransport
from shared.jobs.queue import Queue
from shared.storage.postgres import Database
from shared.testing.waiting import eventually

#: so long that nothing in these tests is a beat that was due anyway
LEASE = timedelta(hours=1)


@pytest.fixture
def queue(database: Database) -> Queue:
    return make_queue(database, Timing(lease=LEASE))


@pytest.fixture
def heart(queue: Queue) -> Iterator[Heart]:
    heart = Heart(PostgresTransport(queue))
    yield heart
    heart.close()


def test_news_of_a_job_are_told_soon_and_in_order(queue, heart):
    [job_id] = queue.submit([job("add")])
    token = uuid4()
    queue.claim(["testjobs.add"], 1, token, "w")
    heart.hold(token, [job_id], time.monotonic(), LEASE)
    for n in range(1, 200):
        heart.report(job_id, Report(n / 1000, f"row {n}"))
    found = eventually(lambda: (seen := queue.job(job_id)).progress and seen, what="the news")
    assert (found.progress, found.note) == (0.199, "row 199"), "of many news in a moment, the last counts"
    heart.report(job_id, Report(0.5, "half"))
    eventually(lambda: queue.job(job_id).note == "half", what="the next news")
