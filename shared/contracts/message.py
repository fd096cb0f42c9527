"""The base of everything that crosses a service's border through the queue."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Base of everything that crosses a service's border through the queue."""

    model_config = ConfigDict(frozen=True, extra="forbid")
