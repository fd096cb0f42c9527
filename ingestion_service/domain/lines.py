"""What is the same many times in a row, told in one line: gaps of whole sessions, and questions asked in vain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingestion_service.domain.gaps import Gap, Why
from ingestion_service.domain.moments import DAY_US, in_us
from ingestion_service.domain.spans import FailedAsk
from ingestion_service.domain.symbols import crypto_pair
from shared.contracts.sessions import MINUTE_US, sessions_between


@dataclass(frozen=True, kw_only=True)
class GapLine(Gap):
    """A gap, or whole sessions in a row without a bar for one reason, `sessions` of them; 0: part of a session."""

    sessions: int


@dataclass(frozen=True, kw_only=True)
class AskLine(FailedAsk):
    """`spans` questions to one provider with the same answer, from the first one's start to the last one's end."""

    spans: int


def gap_lines(symbol: str, found: Sequence[Gap]) -> list[GapLine]:
    """Return gaps (of `symbol`, in order of time) with neighbouring whole sessions made one."""
    if not found:
        return []
    sessions = sessions_between(in_us(found[0].start) - DAY_US, in_us(found[-1].end) + MINUTE_US)
    rows = {
        (opens, closes): row
        for row, (opens, closes) in enumerate(zip(sessions.open_us.tolist(), sessions.close_us.tolist(), strict=True))
    }
    # a coin's gap is never cut where a session ends, so there is nothing to join
    whole = {} if crypto_pair(symbol) else rows
    lines, last = list[GapLine](), None
    for gap in found:
        row = whole.get((in_us(gap.start), in_us(gap.end)))
        before = lines[-1] if lines else None
        if before is not None and before.why is gap.why and row is not None and last == row - 1:
            minutes = before.minutes + gap.minutes
            lines[-1] = replace(before, end=gap.end, minutes=minutes, sessions=before.sessions + 1)
        else:
            lines.append(GapLine(**vars(gap), sessions=0 if row is None else 1))
        last = row
    return lines


def listed(lines: Sequence[GapLine], why: Why | None) -> list[GapLine]:
    """Return the lines of one reason, or of all that are gaps, newest first."""
    return [line for line in reversed(lines) if (line.why is why if why else line.why.is_gap)]


def ask_lines(asks: Sequence[FailedAsk]) -> list[AskLine]:
    """Return asks (in order of provider and time) with neighbours that had the same answer made one."""
    lines = list[AskLine]()
    for ask in asks:
        before = lines[-1] if lines else None
        same = before is not None and _answer(before) == _answer(ask)
        if before is None or not same:
            lines.append(AskLine(**vars(ask), spans=1))
            continue
        lines[-1] = replace(
            before,
            end=max(before.end, ask.end),
            asks=before.asks + ask.asks,
            first_at=min(before.first_at, ask.first_at),
            last_at=max(before.last_at, ask.last_at),
            spans=before.spans + 1,
        )
    return lines


def _answer(ask: FailedAsk) -> tuple[str, str, str]:
    return ask.provider, ask.kind, ask.reason
