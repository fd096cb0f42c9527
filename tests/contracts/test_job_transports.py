"""One suite for both ways a worker reaches the queue: directly, and over HTTP."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from jobs_support import QUICK, TOKEN, JobServer, effects, job, make_queue

from shared.errors import InvalidInput, Unavailable
from shared.jobs.http_transport import HttpTransport
from shared.jobs.model import Beat, Completion, Group, JobState, LeaseLost, Outcome, Report, Submission
from shared.jobs.postgres_transport import PostgresTransport
from shared.jobs.queue import Queue
from shared.jobs.transport import JobTransport
from shared.storage.postgres import Database
from shared.testing.ports import free_port

KINDS = ["testjobs.add", "testjobs.reject"]


@pytest.fixture(scope="module")
def shared_database(postgres_url: str) -> Iterator[str]:
    from shared.testing.postgres import fresh_database

    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="module")
def all_queues(shared_database: str) -> Iterator[Queue]:
    database = Database(shared_database, application_name="test")
    yield make_queue(database)
    database.close()


@pytest.fixture
def queue(all_queues: Queue) -> Queue:
    """The one queue of this file, emptied."""
    with all_queues.database.transaction() as conn:
        conn.execute("truncate jobs.job, jobs.job_group, jobs.membership, jobs.job_attempt, testjobs.effect")
    return all_queues


@pytest.fixture(scope="module")
def server(all_queues: Queue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobServer]:
    folder: Path = tmp_path_factory.mktemp("server")
    server = JobServer(folder, {"DATABASE_URL": all_queues.database.url, "BARSMITH_HOME": str(folder)})
    yield server
    server.end()


@pytest.fixture(params=["postgres", "http"])
def transport(request: pytest.FixtureRequest, queue: Queue) -> Iterator[JobTransport]:
    transport: JobTransport
    if request.param == "http":
        transport = HttpTransport(request.getfixturevalue("server").url, TOKEN)
    else:
        transport = PostgresTransport(queue)
    yield transport
    transport.close("w")


def test_claim_gives_ready_jobs_in_order_and_again_when_its_answer_was_lost(transport: JobTransport, queue: Queue):
    low, high, high_too = queue.submit([job("add", priority=p, n=p) for p in (1, 2.5, 2.5)])
    token = uuid4()
    claim = transport.claim(KINDS, 2, token, "w")
    assert claim.lease == QUICK.lease
    assert claim.jobs == [queue.job(high), queue.job(high_too)]
    assert (claim.jobs[0].state, claim.jobs[0].attempt, claim.jobs[0].worker_id) == (JobState.RUNNING, 1, "w")
    assert [found.id for found in transport.claim(KINDS, 2, token, "w").jobs] == [high, high_too]
    assert [found.id for found in transport.claim(KINDS, 2, uuid4(), "w").jobs] == [low]
    assert transport.claim(KINDS, 2, uuid4(), "w").jobs == []


def test_heartbeats_store_progress_and_tell_what_to_stop(transport: JobTransport, queue: Queue):
    going, cancelled = queue.submit([job("add"), job("add")])
    token = uuid4()
    transport.claim(KINDS, 2, token, "w")
    queue.cancel(cancelled)
    answers = transport.heartbeat(token, {going: Report(0.25, "a quarter"), cancelled: Report(), 10**12: Report(7.0)})
    assert answers == {going: Beat.OK, cancelled: Beat.CANCELLED, 10**12: Beat.LOST}
    found = queue.job(going)
    assert (found.progress, found.note) == (0.25, "a quarter")
    assert transport.heartbeat(uuid4(), {going: Report()}) == {going: Beat.LOST}


def test_complete_applies_the_effect_once_and_submits_what_follows(transport: JobTransport, queue: Queue):
    first, second = queue.submit([job("add"), job("add")])
    token = uuid4()
    transport.claim(KINDS, 2, token, "w")
    then = Submission(kind="testjobs.then", payload={"x": [1, None, "é"]}, priority=-1.5, unique_key="then")
    follow = (then, Group(jobs=[job("later")], continuation=job("last")))
    outcomes = {first: Outcome(result={"n": 1, "é": 0.1}, submit=follow), second: Outcome(result={"n": 2})}
    assert transport.complete(token, outcomes) == {first: Completion.DONE, second: Completion.DONE}
    assert transport.complete(token, outcomes) == {first: Completion.ALREADY_DONE, second: Completion.ALREADY_DONE}
    assert queue.job(first).result == {"n": 1, "é": 0.1}
    assert effects(queue.database) == {first: 1, second: 1}
    [submitted] = queue.jobs(kind="testjobs.then")[0]
    assert (submitted.payload, submitted.priority, submitted.unique_key) == (then.payload, -1.5, "then")
    assert queue.jobs(kind="testjobs.later")[1] == 1


def test_a_completion_with_a_lost_lease_changes_nothing(transport: JobTransport, queue: Queue):
    [job_id] = queue.submit([job("add")])
    transport.claim(KINDS, 1, uuid4(), "w")
    before = queue.job(job_id)
    assert transport.complete(uuid4(), {job_id: Outcome(result={})}) == {job_id: Completion.LOST}
    with pytest.raises(LeaseLost):
        transport.fail(job_id, uuid4(), "x", retry=True, counted=True)
    assert queue.job(job_id) == before


@pytest.mark.parametrize(("verb", "result"), [("reject", {"n": 1}), ("add", {"n": float("nan")})])
def test_a_refused_result_is_an_input_error_and_the_job_can_still_be_failed(
    transport: JobTransport, queue: Queue, verb: str, result: dict[str, float]
):
    [job_id] = queue.submit([job(verb)])
    token = uuid4()
    transport.claim(KINDS, 1, token, "w")
    with pytest.raises(InvalidInput):
        transport.complete(token, {job_id: Outcome(result=result)})
    assert effects(queue.database) == {}
    assert transport.fail(job_id, token, "refused", retry=False, counted=True) is JobState.FAILED
    assert queue.job(job_id).error == "refused"


def test_fail_retries_counts_and_gives_back(transport: JobTransport, queue: Queue):
    [job_id] = queue.submit([job("add")])
    token = uuid4()
    transport.claim(KINDS, 1, token, "w")
    assert transport.fail(job_id, token, "stopping", retry=True, counted=False) is JobState.PENDING
    assert queue.job(job_id).attempt == 0
    token = uuid4()
    [found] = transport.claim(KINDS, 1, token, "w").jobs
    assert transport.fail(found.id, token, "boo", retry=True, counted=True) is JobState.PENDING
    assert (queue.job(job_id).attempt, queue.job(job_id).error) == (1, "boo")


def test_an_idle_worker_is_woken(transport: JobTransport, queue: Queue):
    transport.wait(0.1)
    queue.submit([job("add")])
    began = time.monotonic()
    assert transport.wait(2.0)
    assert time.monotonic() - began < 2.5


def test_it_may_be_used_from_several_threads(transport: JobTransport, queue: Queue):
    ids = queue.submit([job("add", n=n) for n in range(40)])

    def work(_: int) -> int:
        token = uuid4()
        jobs = transport.claim(KINDS, 2, token, "w").jobs
        transport.heartbeat(token, {found.id: Report(0.5) for found in jobs})
        transport.complete(token, {found.id: Outcome(result={"n": 1}) for found in jobs})
        return len(jobs)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(25))) == 40
    assert effects(queue.database) == dict.fromkeys(ids, 1)


def test_no_database_is_unavailable_and_says_where():
    port = free_port()
    database = Database(f"postgresql://x:secret@127.0.0.1:{port}/x", application_name="test")
    refused(PostgresTransport(Queue(database)), port)
    database.close()


def test_no_server_is_unavailable_and_says_where():
    port = free_port()
    transport = HttpTransport(f"http://127.0.0.1:{port}", TOKEN)
    refused(transport, port)
    transport.close("w")


def refused(transport: JobTransport, port: int) -> None:
    with pytest.raises(Unavailable, match=str(port)) as refusal:
        transport.claim(KINDS, 1, uuid4(), "w")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("token", ["", "wrong", "wörker"])
def test_a_wrong_worker_token_is_refused(server: JobServer, queue: Queue, token: str):
    [job_id] = queue.submit([job("add")])

    def ask() -> None:
        transport = HttpTransport(server.url, token)
        try:
            transport.claim(KINDS, 1, uuid4(), "w")
        finally:
            transport.close("w")

    with pytest.raises(InvalidInput, match="BARSMITH_WORKER_TOKEN"):
        ask()
    assert queue.job(job_id).state is JobState.PENDING
