"""GET /events: the stream, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from shared.errors import InvalidInput
from shared.web.events.hub import EventHub
from shared.web.events.sighting import TOPICS

router = APIRouter(tags=["live"])


def _asked_topics(topics: str = ",".join(TOPICS)) -> list[str]:
    # a dependency, since it is checked before the stream begins: afterwards there is no status left to answer with
    asked = [topic.strip() for topic in topics.split(",") if topic.strip()]
    if not asked or set(asked) - set(TOPICS):
        raise InvalidInput(f"topics={topics!r} cannot be listened to: name some of {', '.join(TOPICS)}")
    return asked


@router.get("/events", response_class=EventSourceResponse)
async def events(
    request: Request,
    topics: Annotated[list[str], Depends(_asked_topics)],
    last_event_id: Annotated[int | None, Header()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow jobs and workers.

    `snapshot` comes first (or what was missed since Last-Event-ID), then `jobs` and `workers`, each with
    `{"key", "data"}` where data of null means the entity is gone, and `ping` when nothing happened for a while.
    """
    hub: EventHub = request.state.hub
    async for event in hub.listen(topics, last_event_id):
        if event is None:
            yield ServerSentEvent(event="ping", data={})
        elif event.topic == "snapshot":
            yield ServerSentEvent(event="snapshot", data=event.data, id=str(event.id))
        else:
            yield ServerSentEvent(event=event.topic, data={"key": event.key, "data": event.data}, id=str(event.id))
