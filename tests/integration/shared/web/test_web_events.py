"""The event stream against a real server and a real queue: snapshot, deltas, resume, merging, pings."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.clock import SystemClock
from shared.errors import Unavailable
from shared.jobs.model import Outcome, Report, Submission
from shared.jobs.queue import Queue
from shared.testing.waiting import eventually
from shared.web.events.hub import LOOKS_PER_SECOND, PING_SECONDS, EventHub
from shared.web.events.sighting import Sighting, look

TRAIN = Submission(kind="training.train", payload={})


@contextmanager
def events(http: httpx.Client, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The stream's events as dictionaries of their fields, data parsed."""
    with http.stream("GET", "/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")

        def parsed() -> Iterator[dict[str, Any]]:
            event: dict[str, Any] = {}
            for line in stream.iter_lines():
                if not line and event:
                    yield event
                    event = {}
                elif not line.startswith(":") and line:
                    name, _, value = line.partition(": ")
                    event[name] = json.loads(value) if name == "data" else value

        yield parsed()


def of_topic(stream: Iterator[dict[str, Any]], topic: str) -> Iterator[dict[str, Any]]:
    return (event for event in stream if event["event"] == topic)


def test_snapshot_comes_first_then_what_changed(http, queue):
    [first] = queue.submit([TRAIN])
    with events(http) as stream:
        snapshot = next(stream)
        assert snapshot["event"] == "snapshot"
        assert snapshot["data"]["jobs"][str(first)]["state"] == "PENDING"
        assert snapshot["data"]["workers"] == {}
        [second] = queue.submit([TRAIN])
        delta = next(of_topic(stream, "jobs"))
        assert (delta["data"]["key"], delta["data"]["data"]["state"]) == (str(second), "PENDING")
        assert int(delta["id"]) > int(snapshot["id"])


def test_a_job_is_followed_through_its_life_with_rising_ids(http, queue):
    with events(http) as stream:
        next(stream)
        [job_id] = queue.submit([TRAIN])
        seen = [next(of_topic(stream, "jobs"))]
        token = uuid4()
        queue.claim(["training.train"], 1, token, "w-1")
        seen.append(next(of_topic(stream, "jobs")))
        queue.heartbeat(token, {job_id: Report(0.5, "half")})
        seen.append(next(of_topic(stream, "jobs")))
        queue.complete(job_id, token, Outcome(result={}))
        seen.append(next(of_topic(stream, "jobs")))
    states = [(event["data"]["data"]["state"], event["data"]["data"]["progress"]) for event in seen]
    assert states == [("PENDING", 0), ("RUNNING", 0), ("RUNNING", 0.5), ("COMPLETED", 1)]
    ids = [int(event["id"]) for event in seen]
    assert ids == sorted(set(ids))


def test_many_reports_are_merged_to_the_newest(http, queue):
    [job_id] = queue.submit([TRAIN])
    token = uuid4()
    queue.claim(["training.train"], 1, token, "w-1")
    with events(http) as stream:
        next(stream)
        for step in range(1, 101):
            queue.heartbeat(token, {job_id: Report(step / 100)})
        seen = []
        for event in of_topic(stream, "jobs"):
            seen.append(event["data"]["data"]["progress"])
            if seen[-1] == 1.0:
                break
    assert len(seen) <= 10  # a hundred reports in well under two seconds


def test_who_comes_back_gets_what_was_missed_and_no_snapshot(http, queue):
    with events(http) as stream:
        last = next(stream)["id"]
        [first] = queue.submit([TRAIN])
        last = next(of_topic(stream, "jobs"))["id"]
    [second] = queue.submit([TRAIN])
    with events(http, **{"Last-Event-ID": last}) as stream:
        missed = next(of_topic(stream, "jobs"))
        assert missed["data"]["key"] == str(second)
        assert second > first


@pytest.mark.parametrize("last_id", ["1", "99999999999999999"])
def test_an_id_nobody_remembers_gets_a_snapshot(http, queue, last_id):
    queue.submit([TRAIN])
    with events(http, **{"Last-Event-ID": last_id}) as stream:
        assert next(stream)["event"] == "snapshot"


def test_quiet_stream_is_pinged_and_only_its_topics_are_sent(http, queue):
    with http.stream("GET", "/events?topics=workers") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: snapshot"
        queue.submit([TRAIN])
        rest = []
        for line in lines:
            rest.append(line)
            if line == "event: ping":
                break
    assert "event: jobs" not in rest


def test_a_worker_appears_and_leaves(http, queue):
    with events(http) as stream:
        next(stream)
        queue.claim(["training.train"], 1, uuid4(), "w-7")
        assert next(of_topic(stream, "workers"))["data"]["key"] == "w-7"
        queue.leave("w-7")
        assert next(of_topic(stream, "workers"))["data"] == {"key": "w-7", "data": None}


class CountedLooks:
    """Looks at a real queue, and counts how often."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.looks = 0

    def __call__(self, job_ids: Iterable[int]) -> Sighting:
        seen = look(self._queue, job_ids)
        self.looks += 1
        return seen

    async def more(self, number: int) -> None:
        """Wait until so many looks more were taken."""
        goal = self.looks + number
        await asyncio.to_thread(eventually, lambda: self.looks >= goal, what=f"{number} more looks")


def test_queue_is_looked_at_by_one_poller_and_only_while_somebody_listens(queue):
    async def scenario() -> None:
        counted = CountedLooks(queue)
        hub = EventHub(counted, SystemClock())
        assert not hub.polling
        first, second = hub.listen(["jobs"], None), hub.listen(["jobs"], None)
        assert (await anext(first)).topic == (await anext(second)).topic == "snapshot"
        began = time.monotonic()
        await counted.more(4)
        assert time.monotonic() - began > 3 / LOOKS_PER_SECOND  # two pollers would need half of that
        await first.aclose()
        assert hub.polling
        await second.aclose()
        assert not hub.polling

    asyncio.run(scenario())


def test_slow_listener_gets_the_newest_of_each_job(queue):
    async def scenario() -> float:
        counted = CountedLooks(queue)
        stream = EventHub(counted, SystemClock()).listen(["jobs"], None)
        await anext(stream)
        [job_id] = queue.submit([TRAIN])
        token = uuid4()
        queue.claim(["training.train"], 1, token, "w")
        for step in range(4):
            queue.heartbeat(token, {job_id: Report(step / 4)})
            await counted.more(2)
        newest = await anext(stream)
        await stream.aclose()
        return newest.data["progress"]

    assert asyncio.run(scenario()) == 0.75


@pytest.mark.parametrize("fault", [Unavailable("Postgres does not answer"), KeyError("a fault of ours")])
def test_no_pings_while_the_queue_cannot_be_read(fault):
    def broken(_job_ids: Iterable[int]) -> Sighting:
        raise fault

    async def scenario() -> bool:
        hub = EventHub(broken, SystemClock())
        stream = hub.listen(["jobs"], None)
        waiting = asyncio.ensure_future(anext(stream))
        done, _ = await asyncio.wait([waiting], timeout=PING_SECONDS * 1.4)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return bool(done)

    assert asyncio.run(scenario()) is False


def test_a_look_that_fails_is_followed_by_others(queue):
    looks = CountedLooks(queue)

    def faulty(job_ids: Iterable[int]) -> Sighting:
        found = looks(job_ids)
        if looks.looks < 3:
            raise KeyError("a fault of ours")
        return found

    async def scenario() -> str:
        stream = EventHub(faulty, SystemClock()).listen(["jobs"], None)
        first = await anext(stream)
        await stream.aclose()
        return first.topic

    assert asyncio.run(scenario()) == "snapshot"
