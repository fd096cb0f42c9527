"""What a stress test is asked."""

from __future__ import annotations

from pydantic import BaseModel, Field


class StressAsked(BaseModel):
    """How many placebos to draw, and from which seed."""

    draws: int = Field(default=1_000, ge=10, le=20_000)
    seed: int = Field(default=7, ge=0, lt=2**31)
