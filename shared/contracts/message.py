"""The base of everything that crosses a service's border through the queue."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Base of everything that crosses a service's border through the queue. Numbers are finite: JSON has no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
