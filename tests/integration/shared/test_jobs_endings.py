"""How a job leaves the state RUNNING, and what becomes of those who come too late."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from jobs_support import effects, job, make_queue

from shared.errors import Conflict, InvalidInput, NotFound
from shared.jobs.context import JobContext
from shared.jobs.model import (
    Beat,
    Completion,
    EffectFailed,
    Group,
    JobState,
    LeaseLost,
    Outcome,
    Report,
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


def expire(queue: Queue, job_id: int) -> None:
    """Let the lease run out without waiting for it."""
    with queue.database.transaction() as conn:
        conn.execute("update jobs.job set lease_expires_at = now() - interval '1 s' where id = %s", [job_id])


def ready_now(queue: Queue) -> None:
    """Let every pause between attempts be over."""
    with queue.database.transaction() as conn:
        conn.execute("update jobs.job set run_after = now() where state = 'PENDING'")


def snapshot(queue: Queue, job_id: int) -> object:
    with queue.database.transaction() as conn:
        return conn.execute("select * from jobs.job where id = %s", [job_id]).fetchone()


# --- complete, fail, rescue


def test_completing_twice_applies_the_effect_once_and_a_late_one_is_refused(queue, database):
    [job_id] = queue.submit([job("add")])
    token, _ = claim(queue)
    assert queue.complete(job_id, token, DONE) is Completion.DONE
    done = snapshot(queue, job_id)
    assert queue.complete(job_id, token, Outcome(result={"n": 2}, submit=[job("next")])) is Completion.ALREADY_DONE
    for late in (
        lambda: queue.complete(job_id, uuid4(), DONE),
        lambda: queue.fail(job_id, uuid4(), "x"),
        lambda: queue.fail(job_id, token, "x"),
        lambda: queue.complete(999, token, DONE),
    ):
        with pytest.raises(LeaseLost):
            late()
    assert queue.heartbeat(token, {job_id: Report()}) == {job_id: Beat.LOST}
    assert snapshot(queue, job_id) == done
    assert effects(database) == {job_id: 1}
    assert queue.jobs()[1] == 1, "nothing was submitted by the second"


@pytest.mark.parametrize("when", ["rescued", "second attempt runs", "second attempt completed"])
def test_a_zombie_is_refused_everywhere(queue, database, when):
    [job_id] = queue.submit([job("add")])
    token, [found] = claim(queue)
    zombie = JobContext(job_id=job_id, kind=found.kind, payload={}, priority=0, attempt=found.attempt, token=token)
    with queue.database.transaction() as conn:
        zombie.still_mine(conn)
    expire(queue, job_id)
    assert queue.rescue() == 1
    if when != "rescued":
        ready_now(queue)
        other, _ = claim(queue, worker="w2")
        if when == "second attempt completed":
            queue.complete(job_id, other, DONE)
    before = snapshot(queue, job_id)
    assert queue.heartbeat(token, {job_id: Report(0.9)}) == {job_id: Beat.LOST}
    with pytest.raises(LeaseLost):
        queue.complete(job_id, token, DONE)
    if when != "rescued":  # before that its fail is taken for the repetition of one whose answer was lost
        with pytest.raises(LeaseLost):
            queue.fail(job_id, token, "x")
    with pytest.raises(LeaseLost), queue.database.transaction() as conn:
        zombie.still_mine(conn)
    assert snapshot(queue, job_id) == before
    assert effects(database) == ({job_id: 1} if when == "second attempt completed" else {})


def test_the_fence_holds_the_lease_until_its_transaction_ends(queue):
    [job_id] = queue.submit([job("add")])
    token, [found] = claim(queue)
    ctx = JobContext(job_id=job_id, kind=found.kind, payload={}, priority=0, attempt=1, token=token)
    with queue.database.transaction() as conn:
        ctx.still_mine(conn)
        with ThreadPoolExecutor(1) as pool:
            cancelled = pool.submit(queue.cancel, job_id)
            eventually(lambda: waits_for_a_lock(queue), what="the cancellation waits")
            assert queue.job(job_id).state is JobState.RUNNING
            conn.commit()
            assert cancelled.result(5).state is JobState.CANCELLED


def waits_for_a_lock(queue: Queue) -> bool:
    with queue.database.transaction() as conn:
        found = conn.execute(
            "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        ).fetchone()
    return found["n"] > 0


def test_failing_retries_with_growing_pauses_then_gives_up(queue):
    [job_id] = queue.submit([job("add")])
    pauses = []
    for attempt in (1, 2):
        token, [found] = claim(queue)
        assert found.attempt == attempt
        assert queue.fail(job_id, token, f"boo {attempt}") is JobState.PENDING
        assert queue.fail(job_id, token, "again: its answer was lost") is JobState.PENDING
        found = queue.job(job_id)
        assert found.error == f"boo {attempt}"
        [pause] = [row["s"] for row in _query(queue, "select extract(epoch from run_after - now()) as s from jobs.job")]
        pauses.append(float(pause))
        ready_now(queue)
    assert pauses[1] > pauses[0]
    token, _ = claim(queue)
    assert queue.fail(job_id, token, "boo 3") is JobState.FAILED
    assert [(a.attempt, a.outcome, a.error) for a in queue.attempts(job_id)] == [
        (n, "FAILED", f"boo {n}") for n in (1, 2, 3)
    ]
    [hopeless] = queue.submit([job("add")])
    token, _ = claim(queue)
    assert queue.fail(hopeless, token, "never", retry=False) is JobState.FAILED


def _query(queue: Queue, text: str) -> list[dict]:
    with queue.database.transaction() as conn:
        return conn.execute(text).fetchall()


def test_a_refused_effect_leaves_the_job_running_and_nothing_stored(queue, database):
    [job_id] = queue.submit([job("reject")])
    token, _ = claim(queue, kinds=["testjobs.reject"])
    with pytest.raises(EffectFailed, match="the registry says no"):
        queue.complete(job_id, token, Outcome(result={"n": 1}, submit=[job("next")]))
    assert queue.job(job_id).state is JobState.RUNNING
    assert effects(database) == {}
    assert queue.jobs()[1] == 1


def test_rescue_takes_back_expired_leases_only_and_only_once(queue):
    gone, kept = queue.submit([job("add"), job("add")])
    _, _ = claim(queue, 2)
    expire(queue, gone)
    with queue.database.transaction() as conn:
        first = conn.execute("select jobs.rescue('1 s') as n").fetchone()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(queue.rescue).result(5) == 0, "it neither waits for the first nor repeats it"
    assert first == {"n": 1}
    assert queue.job(gone).state is JobState.PENDING
    assert queue.job(kept).state is JobState.RUNNING
    assert [(a.attempt, a.outcome) for a in queue.attempts(gone)] == [(1, "LEASE_EXPIRED")]


def test_a_heartbeat_stays_in_place(queue):
    [job_id] = queue.submit([job("add")])
    token, _ = claim(queue)
    for n in range(20):
        queue.heartbeat(token, {job_id: Report(n / 20, f"step {n}")})
    found = queue.job(job_id)
    assert (found.progress, found.note) == (0.95, "step 19")

    def hot() -> bool:
        [row] = _query(queue, "select n_tup_hot_upd as n from pg_stat_user_tables where relid = 'jobs.job'::regclass")
        return row["n"] >= 20

    eventually(hot, what="20 updates without an index entry")


# --- cancel, look


def test_cancel_ends_what_has_not_ended(queue):
    pending, running, done = queue.submit([job("add"), job("add", priority=2), job("add", priority=3)])
    token, _ = claim(queue, 2)
    queue.complete(done, token, DONE)
    for job_id in (pending, running, running):
        assert queue.cancel(job_id).state is JobState.CANCELLED
    assert queue.heartbeat(token, {running: Report()}) == {running: Beat.CANCELLED}
    with pytest.raises(LeaseLost):
        queue.complete(running, token, DONE)
    with pytest.raises(Conflict, match=f"job {done} is COMPLETED"):
        queue.cancel(done)
    with pytest.raises(NotFound, match="no job 999"):
        queue.cancel(999)
    assert claim(queue)[1] == []


def test_a_failed_job_is_done_again_as_a_new_one(queue):
    asked = Submission(kind="testjobs.add", payload={"n": 3}, priority=2.5, unique_key="once", max_attempts=1)
    [failed] = queue.submit([asked])
    with pytest.raises(Conflict, match=f"job {failed} is PENDING: only failed and cancelled jobs"):
        queue.again(failed)
    token, _ = claim(queue)
    queue.fail(failed, token, "no luck", retry=False)
    new = queue.again(failed)
    assert queue.again(failed) == new, "while that one lives, it is the one"
    old, later = queue.job(failed), queue.job(new)
    assert (old.state, later.state) == (JobState.FAILED, JobState.PENDING)
    for name in ("kind", "payload", "priority", "unique_key", "max_attempts", "max_runtime"):
        assert getattr(later, name) == getattr(old, name), name
    with pytest.raises(NotFound):
        queue.again(999)
    queue.submit_group(Group(jobs=[job("add")], continuation=job("other")))
    [member] = queue.newest({"testjobs.add"}, 1)
    queue.cancel(member.id)
    with pytest.raises(Conflict, match=f"job {member.id} belongs to group"):
        queue.again(member.id)


def test_jobs_are_listed_newest_first_in_pages_with_filters(queue):
    ids = queue.submit([job("add") for _ in range(5)] + [job("other")])
    found, total = queue.jobs(kind="testjobs.add", page=2, per_page=2)
    assert ([one.id for one in found], total) == ([ids[2], ids[1]], 5)
    assert [one.id for one in queue.newest({"testjobs.add"}, 2)] == [ids[4], ids[3]]
    assert [one.id for one in queue.newest({"testjobs.add", "testjobs.other"}, 2)] == [ids[5], ids[4]]
    claim(queue)
    assert [one.id for one in queue.jobs(state=JobState.RUNNING)[0]] == [ids[0]]
    assert {(count.kind, count.state): count.jobs for count in queue.counts()} == {
        ("testjobs.add", JobState.PENDING): 4,
        ("testjobs.add", JobState.RUNNING): 1,
        ("testjobs.other", JobState.PENDING): 1,
    }
    with pytest.raises(NotFound):
        queue.job(999)
    with pytest.raises(InvalidInput):
        queue.jobs(page=0)


def test_a_silent_worker_shows_as_lost(queue):
    queue.submit([job("add")])
    claim(queue, worker="busy")
    claim(queue, worker="silent")
    with queue.database.transaction() as conn:
        conn.execute("update jobs.worker set last_seen = now() - interval '31 s' where id = 'silent'")
    assert {worker.id: (worker.lost, worker.job_id) for worker in queue.workers()} == {
        "busy": (False, 1),
        "silent": (True, None),
    }


@pytest.mark.parametrize("attempts_before", [100, 5_000])
def test_a_job_that_is_tried_for_ever_pauses_five_minutes_at_most(queue, attempts_before):
    forever = replace(job("add"), max_attempts=1_000_000)
    (job_id,) = queue.submit([forever])
    with queue.database.transaction() as conn:
        conn.execute("update jobs.job set attempt = %s where id = %s", [attempts_before, job_id])
    token, _ = claim(queue)
    assert queue.fail(job_id, token, "no answer", retry=True) is JobState.PENDING
    ready_now(queue)
    claim(queue)
    expire(queue, job_id)
    assert queue.rescue() == 1
    again = queue.job(job_id)
    assert (again.state, again.attempt) == (JobState.PENDING, attempts_before + 2)
    with queue.database.transaction() as conn:
        late = conn.execute("select run_after - clock_timestamp() as pause from jobs.job").fetchone()["pause"]
    assert timedelta(minutes=4) < late <= timedelta(minutes=5)
