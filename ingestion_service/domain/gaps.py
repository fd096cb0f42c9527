"""Minutes of regular sessions that have no bar, and why.

An expected minute is a minute of a session (for crypto: any minute) from the open of the first bar's session to the
close of the last bar's, or to the last bar while that session is not over. One without a bar is one of

* **no trade**: somebody was asked for it and answered without it. Nothing is wrong: the symbol did not trade.
* **silent**: the same for an index. An index is printed every minute, so a minute without one is a gap.
* **refused**: a row of it came, from a provider or in a file, and was refused. The symbol did trade: a gap.
* **outage**: nobody answered for it, because nobody was asked or because whoever was asked failed. A gap.

Coins trade around the clock: no session ends a gap of theirs, and a file covers their days in UTC.

An answer that held no bar at all counts only from a provider that has given bars of the symbol at another time: one
that does not know a symbol has nothing to say about its minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ingestion_service.domain.moments import DAY_US, in_us, moment_at
from ingestion_service.domain.spans import SETTLE, Answered, Span
from ingestion_service.domain.symbols import crypto_pair, is_index
from shared.contracts.sessions import MINUTE_US, Int64Array, Sessions, sessions_between

#: So many missing minutes in a row are a hole where at least this share of the session's other minutes has a bar.
_HOLE, _BUSY = 3, 0.95

#: A symbol that usually trades in this share of a session's minutes does so in each session.
_ALWAYS = 0.99

Bools = npt.NDArray[np.bool_]
#: the row of a session and [start, end) in it, in microseconds
_Piece = tuple[int, int, int]


class Why(StrEnum):
    """Why a minute has no bar."""

    NO_TRADE = "no_trade"
    SILENT = "silent"
    REFUSED = "refused"
    OUTAGE = "outage"

    @property
    def is_gap(self) -> bool:
        return self is not Why.NO_TRADE


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Consecutive expected minutes without a bar: [start, end), `minutes` of them, all for one reason.

    One never spans two sessions; a coin's spans what it spans.
    """

    start: datetime
    end: datetime
    minutes: int
    why: Why


@dataclass(frozen=True)
class Missing:
    """Expected minutes without a bar; each array of shape (n,), ascending.

    ts_us    : int64 microseconds
    expected_us : every expected minute, of which these are the ones without a bar
    answered : whether somebody answered for the minute
    refused  : whether a row of the minute was refused
    index : silence of it is a gap
    always_open : the market has no sessions
    """

    ts_us: Int64Array
    expected_us: Int64Array
    answered: Bools
    refused: Bools
    index: bool
    always_open: bool = False

    def why(self) -> dict[Why, Bools]:
        """Return which of the minutes each reason holds for, each array of shape (n,); a minute has one reason."""
        quiet = self.answered & ~self.refused
        return {
            Why.OUTAGE: ~self.answered & ~self.refused,
            Why.REFUSED: self.refused,
            Why.SILENT: quiet & self.index,
            Why.NO_TRADE: quiet & (not self.index),
        }

    def gaps_us(self) -> Int64Array:
        """Return the minutes that are gaps, ascending."""
        return self.ts_us[np.logical_or.reduce([here for why, here in self.why().items() if why.is_gap])]

    def counts(self) -> dict[Why, int]:
        """Return the minutes of each reason that occurs."""
        return {why: count for why, here in self.why().items() if (count := int(here.sum()))}


def expected_minutes(symbol: str, first_us: int, last_us: int) -> Int64Array:
    """Return the minutes that should have bars from the open of the session of `first_us` to `last_us`, ascending."""
    if crypto_pair(symbol):
        return np.arange(first_us, last_us + 1, MINUTE_US, dtype=np.int64)
    # the session of the first bar opened before it, and is expected whole
    sessions = sessions_between(first_us - DAY_US, last_us + MINUTE_US)
    minutes = sessions.between(
        int(sessions.open_us[sessions.close_us > first_us].min(initial=last_us + 1)), last_us + 1
    )
    expected = minutes.expected_minutes()
    return expected[expected <= last_us]


def due_until(symbol: str, last: datetime, now: datetime) -> int:
    """Return the last minute (microseconds) that is due at `now` of a series whose last bar is at `last`.

    That is the last one of that bar's session, once late bars of it have had time to come.
    """
    last_us = in_us(last)
    if _always_open(symbol):
        return last_us
    session = sessions_between(last_us - DAY_US, last_us + MINUTE_US)
    close_us = int(session.close_us[-1]) if len(session) else 0
    return max(last_us, close_us - MINUTE_US) if close_us <= in_us(now - SETTLE) else last_us


def missing(
    symbol: str,
    stored_us: Int64Array,
    answered: Iterable[Answered],
    refused_us: Int64Array | None = None,
    due_us: int | None = None,
) -> Missing:
    """Return the expected minutes not in `stored_us` (ascending, unique; empty: nothing is expected).

    refused_us : times of refused rows in any order, also off the minute
    due_us : the last minute that is due (see `due_until`); None: the last stored one
    """
    expected = stored_us
    if len(stored_us):
        expected = expected_minutes(symbol, int(stored_us[0]), due_us or int(stored_us[-1]))
    absent = np.setdiff1d(expected, stored_us, assume_unique=True)
    refused_us = np.zeros(0, np.int64) if refused_us is None else refused_us // MINUTE_US * MINUTE_US
    return Missing(
        absent,
        expected,
        _within(absent, telling(answered)),
        np.isin(absent, refused_us),
        is_index(symbol),
        _always_open(symbol),
    )


def telling(answered: Iterable[Answered]) -> list[Span]:
    """Return the answers that say something of a minute they hold no bar of, merged and in order."""
    known = list(answered)
    givers = {answer.provider for answer in known if not answer.empty}
    spans = sorted((answer.start, answer.end) for answer in known if answer.provider in givers)
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, end))
        else:
            merged.append(Span(start, end))
    return merged


def gaps(found: Missing) -> list[Gap]:
    """Return missing minutes as runs, in order of time."""
    if not len(found.ts_us):
        return []
    ts_us = found.ts_us
    reasons = found.why()
    breaks = (np.diff(ts_us) != MINUTE_US) | np.logical_or.reduce([np.diff(here) for here in reasons.values()])
    if not found.always_open:
        breaks |= np.diff(sessions_between(int(ts_us[0]) - DAY_US, int(ts_us[-1]) + MINUTE_US).index_of(ts_us)) != 0
    starts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    ends = np.append(starts[1:], len(ts_us))
    return [
        Gap(
            start=moment_at(ts_us[start]),
            end=moment_at(ts_us[end - 1] + MINUTE_US),
            minutes=int(end - start),
            why=next(why for why, here in reasons.items() if here[start]),
        )
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def covered(
    symbol: str, given_us: Int64Array, stored_us: Int64Array | None = None, due_us: int | None = None
) -> tuple[list[Span], list[Span]]:
    """Return the sessions that a file with bars of `symbol` at `given_us` touches, and what of them it answers for.

    given_us, stored_us : ascending; what is stored of the symbol around there already is judged together with the file
    due_us : see `due_until`; None: the file's last bar

    Sessions in a row are one span; the last one goes to `due_us`, or to its last stored bar. A coin's are days in UTC,
    the first one from its first bar on. A session without a bar of the file is not touched: the file does not say
    whether it was left out. Not answered for are holes where a symbol hardly leaves a minute without a bar, in the
    rest of the session or in the sessions around: in 0.5 million real minutes no stock that traded in 95 % of a
    session's minutes was silent for two in a row.
    """
    if not len(given_us):
        return [], []
    known_us = given_us if stored_us is None else np.union1d(given_us, stored_us)
    sessions = _sessions(symbol, known_us)
    rows = sessions.index_of(known_us)
    counts = np.bincount(rows[rows >= 0], minlength=len(sessions))
    usual = float(np.median((counts / sessions.minutes)[counts > 0])) if counts.any() else 0.0
    given_until = (due_us or int(given_us[-1])) + MINUTE_US
    touched, answered = list[_Piece](), list[_Piece]()
    own = np.unique(sessions.index_of(given_us))
    for row in own[own >= 0].tolist():
        start, end = int(sessions.open_us[row]), int(sessions.close_us[row])
        stored = known_us[slice(*np.searchsorted(known_us, [start, end]))]
        end = min(end, max(given_until, int(stored[-1]) + MINUTE_US))
        touched.append((row, start, end))
        answered += [(row, *piece) for piece in _without_holes(stored, start, end, usual)]
    return _joined(sessions, touched), _joined(sessions, answered)


def _joined(sessions: Sessions, pieces: Iterable[_Piece]) -> list[Span]:
    """Return pieces of sessions, in order, as spans: one to a close goes on with one from the next session's open."""
    found: list[_Piece] = []
    for row, start, end in pieces:
        goes_on = found and start == sessions.open_us[row] and found[-1][::2] == (row - 1, sessions.close_us[row - 1])
        found.append((row, found.pop()[1] if goes_on else start, end))
    return [Span(moment_at(start), moment_at(end)) for _, start, end in found]


def _sessions(symbol: str, stored_us: Int64Array) -> Sessions:
    first_us, last_us = int(stored_us[0]), int(stored_us[-1])
    if not _always_open(symbol):
        return sessions_between(first_us - DAY_US, last_us + MINUTE_US)
    midnights = np.arange(first_us // DAY_US, last_us // DAY_US + 2, dtype=np.int64) * DAY_US
    opens = np.maximum(midnights[:-1], first_us)
    return Sessions(midnights[:-1].astype("datetime64[us]").astype("datetime64[D]"), opens, midnights[1:])


def _always_open(symbol: str) -> bool:
    return crypto_pair(symbol) is not None


def _without_holes(stored: Int64Array, start: int, end: int, usual: float) -> list[tuple[int, int]]:
    """Return the session [start, end) without the runs of missing minutes that are too long for how it trades.

    stored : minutes of it that have a bar, at least one
    usual  : the usual share of a session's minutes that have a bar
    """
    edges = np.concatenate([[start - MINUTE_US], stored, [end]])
    runs = np.diff(edges) // MINUTE_US - 1
    minutes, long = (end - start) // MINUTE_US, runs >= _HOLE
    busy_but_for_all = len(stored) >= max(_BUSY * (minutes - runs[long].sum()), minutes / 2)
    busy_but_for_one = len(stored) >= _BUSY * (minutes - runs)
    holes = np.flatnonzero(long & (busy_but_for_one | busy_but_for_all | (usual >= _ALWAYS)))
    starts = [start, *edges[holes + 1].tolist()]
    ends = [*(edges[holes] + MINUTE_US).tolist(), end]
    return [(first, last) for first, last in zip(starts, ends, strict=True) if first < last]


def _within(ts_us: Int64Array, spans: Sequence[Span]) -> Bools:
    if not spans:
        return np.zeros(len(ts_us), dtype=np.bool_)
    starts = np.array([in_us(span.start) for span in spans], dtype=np.int64)
    ends = np.array([in_us(span.end) for span in spans], dtype=np.int64)
    row = np.searchsorted(starts, ts_us, side="right") - 1
    return (row >= 0) & (ts_us < ends[np.maximum(row, 0)])
