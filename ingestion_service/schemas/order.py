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


def check_order(start: datetime | None, end: datetime | None, *, names: tuple[str, str] = ("start", "end")) -> None:
    """Raise ValueError when a span that may be empty ends before it starts; `names` are what its ends are given as."""
    if start is not None and end is not None and start > end:
        first, last = names
        raise ValueError(f"{last} {_written(end)} must not be before {first}, {_written(start)}")


def _written(moment: date) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if isinstance(moment, datetime) else f"{moment:%Y-%m-%d}"
