"""Spans end after they start."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import ValidationInfo


def after_start(end: date, info: ValidationInfo) -> date:
    """Check, as the validator of a field `end`, that it is later than the field `start` before it."""
    start: date | None = info.data.get("start")
    if start is not None and start >= end:
        raise ValueError(f"must be later than start, {_written(start)}")
    return end


def _written(moment: date) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if isinstance(moment, datetime) else f"{moment:%Y-%m-%d}"
