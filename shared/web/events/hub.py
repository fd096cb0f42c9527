"""One poller a process, many listeners.

1. The first listener starts the poller, the last one leaving ends it.
2. Each look at the queue is compared with the one before; each difference becomes an event with the next id.
3. An event goes into a ring, for those who come back with the id they saw last, and into every listener's box.
4. A box holds the newest event of each job and worker only: who reads slowly skips what is outdated.
5. A quiet stream is pinged, so a browser can tell silence from a dead server. While the queue cannot be read
   there are no pings either: what the page shows is stale then, and the page will say so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread

from shared.clock import Clock
from shared.errors import Unavailable
from shared.web.events.sighting import TOPICS, Sighting, unfinished

log = logging.getLogger(__name__)

#: at most so many messages a second about one job
LOOKS_PER_SECOND = 2.5
PING_SECONDS = 2.5
RING_SIZE = 2_000


@dataclass(frozen=True)
class Event:
    """`data` of None: the entity is not shown any more."""

    id: int
    topic: str
    key: str
    data: Any


@dataclass(eq=False)
class _Box:
    """What one listener has not read yet: the newest event of each entity, in the order of their ids."""

    topics: frozenset[str]
    events: dict[tuple[str, str], Event] = field(default_factory=dict)
    filled: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, event: Event) -> None:
        if event.topic not in self.topics:
            return
        self.events.pop((event.topic, event.key), None)
        self.events[event.topic, event.key] = event
        self.filled.set()

    async def take(self) -> list[Event]:
        """All unread events; none when nothing came for the time of a ping."""
        try:
            await asyncio.wait_for(self.filled.wait(), PING_SECONDS)
        except TimeoutError:
            return []
        self.filled.clear()
        events = list(self.events.values())
        self.events.clear()
        return events


class EventHub:
    """Turns looks at the queue into streams of events. Used from the event loop only."""

    def __init__(self, look: Callable[[Iterable[int]], Sighting], clock: Clock) -> None:
        self._look = look
        # Ids go on rising over restarts, so an id from before one is never taken for a recent one.
        self._last_id = int(clock.now().timestamp() * 1000)
        self._ring: deque[Event] = deque(maxlen=RING_SIZE)
        self._forgotten = self._last_id  # events up to this id are not in the ring any more
        self._seen: Sighting = {topic: {} for topic in TOPICS}
        self._fresh = asyncio.Event()
        self._boxes: set[_Box] = set()
        self._poller: asyncio.Task[None] | None = None

    @property
    def polling(self) -> bool:
        """Whether anybody listens."""
        return self._poller is not None

    async def listen(self, topics: Iterable[str], last_id: int | None) -> AsyncIterator[Event | None]:
        """Events about `topics` for ever; None is a ping.

        Begins with what was missed since `last_id`; when that is unknown or too long ago, with a snapshot: an event
        of topic "snapshot" whose data holds every entity by topic and id.
        """
        box = _Box(frozenset(topics))
        self._boxes.add(box)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="events")
        try:
            await self._fresh.wait()
            box.events.clear()
            for event in self._missed(last_id, box.topics):
                yield event
            while True:
                events = await box.take()
                for event in events:
                    yield event
                if not events and self._fresh.is_set():
                    yield None
        finally:
            self._boxes.discard(box)
            if not self._boxes:
                self.close()

    def close(self) -> None:
        """Stop looking."""
        if self._poller is not None:
            self._poller.cancel()
            self._poller = None
        self._fresh.clear()

    def _missed(self, last_id: int | None, topics: frozenset[str]) -> list[Event]:
        if last_id is not None and self._forgotten <= last_id <= self._last_id:
            return [event for event in self._ring if event.id > last_id and event.topic in topics]
        everything = {topic: dict(self._seen[topic]) for topic in sorted(topics)}
        return [Event(self._last_id, "snapshot", "", everything)]

    async def _poll(self) -> None:
        while True:
            try:
                now = await anyio.to_thread.run_sync(self._look, unfinished(self._seen))
            except Unavailable as error:
                if self._fresh.is_set():
                    log.warning("queue cannot be watched", extra={"action": "watch_failed", "reason": str(error)})
                self._fresh.clear()
            except Exception:
                # a poller that ended would leave pages that look alive and are not
                log.exception("the look at the queue failed", extra={"action": "watch_failed"})
                self._fresh.clear()
            else:
                self._tell_difference(now)
                self._fresh.set()
            await asyncio.sleep(1 / LOOKS_PER_SECOND)

    def _tell_difference(self, now: Sighting) -> None:
        before, self._seen = self._seen, now
        for topic in TOPICS:
            for key in [*now[topic], *(key for key in before[topic] if key not in now[topic])]:
                data = now[topic].get(key)
                if data != before[topic].get(key):
                    self._tell(topic, key, data)

    def _tell(self, topic: str, key: str, data: object) -> None:
        self._last_id += 1
        event = Event(self._last_id, topic, key, data)
        if len(self._ring) == self._ring.maxlen:
            self._forgotten = self._ring[0].id
        self._ring.append(event)
        for box in self._boxes:
            box.put(event)
