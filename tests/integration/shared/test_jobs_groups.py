"""Groups: the continuation is enqueued exactly once, when the last member has ended, however it ended."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from jobs_support import job, make_queue

from shared.errors import NotFound
from shared.jobs.model import Group, Job, JobState, Outcome, Submission, Timing
from shared.jobs.queue import Queue
from shared.storage.postgres import Database

DONE = Outcome(result={"n": 1})
THEN = Submission(kind="testjobs.next", payload={"why": "all ended"}, priority=7.5)


@pytest.fixture
def queue(database: Database) -> Queue:
    return make_queue(database, Timing(backoff=timedelta(0)))


def continuations(queue: Queue) -> list[Job]:
    return queue.jobs(kind="testjobs.next")[0]


def claim(queue: Queue, limit: int):
    token = uuid4()
    return token, queue.claim(["testjobs.add"], limit, token, "w").jobs


def expire_and_rescue(queue: Queue) -> None:
    with queue.database.transaction() as conn:
        conn.execute("update jobs.job set lease_expires_at = now() - interval '1 s' where state = 'RUNNING'")
    queue.rescue()


def test_the_continuation_comes_with_the_last_end_of_any_sort(queue):
    members = [Submission(kind="testjobs.add", payload={}, max_attempts=1) for _ in range(4)]
    group_id = queue.submit_group(Group(jobs=members, continuation=THEN))
    completed, failed, lost, cancelled = [found.id for found in queue.group(group_id)]
    token, _ = claim(queue, 3)
    queue.complete(completed, token, DONE)
    queue.fail(failed, token, "no", retry=False)
    queue.cancel(cancelled)
    assert continuations(queue) == []
    expire_and_rescue(queue)
    [then] = continuations(queue)
    assert then.payload == {"why": "all ended", "group_id": group_id}
    assert then.priority == 7.5
    states = [found.state for found in queue.group(group_id)]
    assert states == [JobState.COMPLETED, JobState.FAILED, JobState.FAILED, JobState.CANCELLED]
    assert lost in {found.id for found in queue.jobs(group_id=group_id)[0]}


def test_an_empty_group_goes_on_at_once_and_an_unknown_one_is_refused(queue):
    group_id = queue.submit_group(Group(jobs=[], continuation=THEN))
    assert [then.payload["group_id"] for then in continuations(queue)] == [group_id]
    assert queue.group(group_id) == []
    with pytest.raises(NotFound, match="no group 99"):
        queue.group(99)


def test_a_retried_member_does_not_count_as_ended(queue):
    queue.submit_group(Group(jobs=[job("add")], continuation=THEN))
    token, [found] = claim(queue, 1)
    assert queue.fail(found.id, token, "later") is JobState.PENDING
    assert continuations(queue) == []
    token, _ = claim(queue, 1)
    queue.complete(found.id, token, DONE)
    assert len(continuations(queue)) == 1


def test_members_that_end_at_the_same_moment_enqueue_the_continuation_once(queue):
    for _ in range(10):
        queue.submit_group(Group(jobs=[job("add") for _ in range(4)], continuation=THEN))
    work = [claim(queue, 1) for _ in range(40)]
    barrier = threading.Barrier(4)

    def finish(nth: int) -> None:
        for token, [found] in work[nth::4]:  # the four members of a group, one a thread
            barrier.wait(10)
            if nth == 3:
                queue.cancel(found.id)
            else:
                queue.complete(found.id, token, DONE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(finish, range(4)))
    assert sorted(then.payload["group_id"] for then in continuations(queue)) == list(range(1, 11))


def test_two_groups_may_share_a_live_job(queue):
    shared = Submission(kind="testjobs.add", payload={}, unique_key="train me")
    first = queue.submit_group(Group(jobs=[shared], continuation=THEN))
    second = queue.submit_group(Group(jobs=[shared, shared, job("add")], continuation=THEN))
    assert queue.group(first)[0].id == queue.group(second)[0].id
    assert len(queue.group(second)) == 2, "the same job counts once"
    token, jobs = claim(queue, 2)
    queue.complete(jobs[0].id, token, DONE)
    assert [then.payload["group_id"] for then in continuations(queue)] == [first]
    queue.complete(jobs[1].id, token, DONE)
    assert sorted(then.payload["group_id"] for then in continuations(queue)) == [first, second]


def test_joining_a_live_job_while_it_ends_never_waits_for_ever(queue):
    """Either the group joins the job before it ends, or it gets a new one: its continuation always comes."""
    for round_ in range(15):
        shared = Submission(kind="testjobs.add", payload={}, unique_key=f"key {round_}")
        queue.submit([shared])
        token, [found] = claim(queue, 1)
        with ThreadPoolExecutor(2) as pool:
            done = pool.submit(queue.complete, found.id, token, DONE)
            joined = pool.submit(queue.submit_group, Group(jobs=[shared], continuation=THEN))
            done.result(10)
            group_id = joined.result(10)
        for token, [late] in [claim(queue, 1)] if queue.jobs(state=JobState.PENDING, kind="testjobs.add")[1] else []:
            queue.complete(late.id, token, DONE)
        assert group_id in [then.payload["group_id"] for then in continuations(queue)]


def test_what_an_outcome_submits_comes_with_the_completion(queue):
    [job_id] = queue.submit([job("add")])
    token, _ = claim(queue, 1)
    follow = Group(jobs=[job("add", n=2), job("add", n=3)], continuation=THEN)
    queue.complete(job_id, token, Outcome(result={"n": 1}, submit=[job("other"), follow]))
    assert queue.jobs(kind="testjobs.other")[1] == 1
    assert len(queue.group(1)) == 2
