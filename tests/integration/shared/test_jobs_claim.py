"""Submitting and claiming: order, repetition, keys, and what a claim has to read."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs_support import job, make_queue

from shared.errors import InvalidInput
from shared.jobs.model import (
    Group,
    JobState,
    Outcome,
    Submission,
    Timing,
)
from shared.jobs.queue import Queue
from shared.storage.postgres import Database
from shared.testing.waiting import eventually

DONE = Outcome(result={"n": 1})
KINDS = ["testjobs.add", "testjobs.sleep", "testjobs.next", "testjobs.other"]


@pytest.fixture
def queue(database: Database) -> Queue:
    return make_queue(database, Timing(lease=timedelta(minutes=1), backoff=timedelta(milliseconds=20)))


def claim(queue: Queue, limit: int = 1, worker: str = "w", kinds: list[str] = KINDS):
    token = uuid4()
    return token, queue.claim(kinds, limit, token, worker).jobs


def ready_now(queue: Queue) -> None:
    """Let every pause between attempts be over."""
    with queue.database.transaction() as conn:
        conn.execute("update jobs.job set run_after = now() where state = 'PENDING'")


# --- submit


@pytest.mark.parametrize("priority", [float("nan"), float("inf"), float("-inf")])
def test_a_priority_that_cannot_be_ordered_is_refused_in_python_and_by_the_table(queue, priority):
    with pytest.raises(InvalidInput, match="cannot be ordered"):
        job("add", priority=priority)
    [job_id] = queue.submit([job("add")])
    with pytest.raises(Exception, match="job_priority_check"), queue.database.transaction() as conn:
        conn.execute("update jobs.job set priority = %s where id = %s", [priority, job_id])


def test_malformed_submissions_are_refused_and_leave_nothing(queue):
    for wrong in (
        {"kind": "Robert'); drop table jobs.job;--"},
        {"max_attempts": 0},
        {"max_runtime": timedelta(0)},
        {"run_after": datetime(2030, 1, 1)},  # noqa: DTZ001 - the point
    ):
        with pytest.raises(InvalidInput):
            Submission(**{"kind": "testjobs.add", "payload": {}, **wrong})
    for payload in ({"x": float("nan")}, {"x": {1, 2}}, {"x": "a\x00b"}):
        with pytest.raises(InvalidInput, match="JSON"):
            queue.submit([job("add"), Submission(kind="testjobs.add", payload=payload)])
    assert queue.jobs() == ([], 0)


def test_a_live_unique_key_gives_the_live_job_also_inside_a_batch(queue):
    def keyed(key: str) -> Submission:
        return Submission(kind="testjobs.add", payload={}, unique_key=key)

    b, a, b_again, free = queue.submit([keyed("b"), keyed("a"), keyed("b"), job("add")])
    assert b == b_again
    assert b < a < free, "ids follow the order of submission, not that of the keys"
    assert queue.submit([keyed("a"), keyed("c")])[0] == a
    token, _ = claim(queue, 10)
    assert queue.submit([keyed("a")]) == [a], "running is live, too"
    queue.complete(a, token, DONE)
    assert queue.submit([keyed("a")])[0] > free, "a completed one is not"


def test_the_same_keys_submitted_from_many_threads_at_once_are_enqueued_once(queue):
    batch = [Submission(kind="testjobs.add", payload={}, unique_key=f"k{n}") for n in range(20)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda flip: queue.submit(batch[::flip])[::flip], [1, -1] * 4))
    assert all(answer == answers[0] for answer in answers)
    assert queue.jobs()[1] == 20


def test_submitting_belongs_to_the_callers_transaction(queue):
    with queue.database.transaction() as conn:
        queue.submit([job("add")], conn=conn)
        queue.submit_group(Group(jobs=[job("add")], continuation=job("next")), conn=conn)
        conn.rollback()
    assert queue.jobs() == ([], 0)


def waits_for_a_lock(queue: Queue) -> bool:
    with queue.database.transaction() as conn:
        found = conn.execute(
            "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        ).fetchone()
    return found["n"] > 0


# --- claim


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    priorities=st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.5]), max_size=30
    )
)
def test_jobs_come_highest_priority_first_then_oldest(queue, priorities):
    ids = queue.submit([job("add", priority=priority) for priority in priorities])
    came = []
    while (jobs := claim(queue, 7)[1]) != []:
        came += [found.id for found in jobs]
    assert came == [job_id for _, job_id in sorted(zip([-priority for priority in priorities], ids, strict=True))]


def test_a_repeated_claim_gives_the_same_jobs(queue):
    queue.submit([job("add", n=n) for n in range(10)])
    token = uuid4()
    [first, again] = [queue.claim(KINDS, 3, token, "w").jobs for _ in range(2)]
    assert [found.id for found in again] == [found.id for found in first] == [1, 2, 3]
    assert queue.jobs(state=JobState.RUNNING)[1] == 3


def test_a_claim_repeated_while_the_first_is_under_way_waits_for_its_jobs(queue):
    queue.submit([job("add", n=n) for n in range(10)])
    claim(queue)  # the worker is known, so that nothing but the token makes the second wait
    token = uuid4()
    with ThreadPoolExecutor(1) as pool, queue.database.transaction() as conn:
        first = conn.execute("select id from jobs.claim(%s, 2, %s, 'w', '1 min')", [KINDS, token]).fetchall()
        again = pool.submit(queue.claim, KINDS, 2, token, "w")
        eventually(lambda: waits_for_a_lock(queue), what="the second asking waits")
        conn.commit()
        assert [found.id for found in again.result(10).jobs] == sorted(row["id"] for row in first)


def test_concurrent_claimers_never_get_one_job_twice_and_leave_none(queue):
    queue.submit([job("add", priority=n % 3) for n in range(400)])
    barrier = threading.Barrier(4)

    def drain(worker: int) -> list[int]:
        barrier.wait()
        got: list[int] = []
        while (jobs := claim(queue, 3, f"w{worker}")[1]) != []:
            got += [found.id for found in jobs]
        return got

    with ThreadPoolExecutor(4) as pool:
        got = [job_id for jobs in pool.map(drain, range(4)) for job_id in jobs]
    assert Counter(got) == dict.fromkeys(range(1, 401), 1)


def test_run_after_and_kind_are_respected(queue):
    later = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - far enough that no clock difference matters
    [waiting] = queue.submit([Submission(kind="testjobs.add", payload={}, priority=9, run_after=later)])
    other, wanted = queue.submit([job("other", priority=5), job("add")])
    assert [found.id for found in claim(queue, 5, kinds=["testjobs.add"])[1]] == [wanted]
    ready_now(queue)
    assert [found.id for found in claim(queue, 5)[1]] == [waiting, other]
    assert claim(queue, 5)[1] == []
    for limit in (0, 101):
        with pytest.raises(InvalidInput, match="ask for 1 to 100"):
            claim(queue, limit)


def test_claiming_reads_the_index_whatever_else_is_pending(queue):
    """Not a time, which depends on the machine: how many rows the claim has to look at."""
    with queue.database.transaction() as conn:
        conn.execute(
            """insert into jobs.job (kind, payload, priority, max_attempts, max_runtime, run_after, delayed)
            select case n % 3 when 0 then 'testjobs.add' else 'testjobs.other' end, '{}', n, 3, '1 h',
                now() + n % 2 * interval '1 h', n % 2 = 1
            from generate_series(1, 30000) as n"""
        )
    with queue.database.transaction() as conn:
        before = touched(conn)
        queue._queries.rows(
            conn, "claim", object_row, kinds=["testjobs.add"], limit=1, token=uuid4(), worker="w", lease=timedelta(1)
        )
        seen = touched(conn) - before
    assert seen < 60, f"{seen} rows read to claim one job out of 30,000"


def object_row(**columns: object) -> dict[str, object]:
    return columns


def touched(conn) -> int:
    row = conn.execute(
        "select seq_tup_read + coalesce(idx_tup_fetch, 0) as n from pg_stat_xact_user_tables"
        " where schemaname = 'jobs' and relname = 'job'"
    ).fetchone()
    return row["n"]
