"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated

from pydantic import BeforeValidator

from shared.contracts.messages import Instant


def _midnight(value: object) -> object:
    """Read a bare date as its midnight in UTC; leave the rest to the type."""
    if isinstance(value, str) and len(value.strip()) == len("2024-01-02"):
        try:
            return datetime.combine(date.fromisoformat(value.strip()), time(), UTC)
        except ValueError:
            return value
    return value


Moment = Annotated[Instant, BeforeValidator(_midnight)]
