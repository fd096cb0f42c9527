"""What the stored bars of a symbol tell, worked out once for each state of what it is worked out from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np

from ingestion_service.domain.coverage import SessionCoverage, by_session, off_hours
from ingestion_service.domain.gaps import Missing, Why, missing
from ingestion_service.domain.spans import Answered
from ingestion_service.store.filled import FilledStore
from ingestion_service.store.quarantine import QuarantineStore
from shared.contracts.sessions import Int64Array
from shared.storage.lake import Lake, Snapshot

#: Sessions a symbol's facts tell one by one.
RECENT_SESSIONS = 130
#: Symbols whose minutes are remembered.
_KEPT_MINUTES = 8


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What only the bars themselves tell, in so few words that they are kept for every symbol."""

    sources: tuple[str, ...]
    #: sessions (of a coin: days in UTC) from the first bar's to the last one's: those with a bar, and all
    sessions: int
    sessions_expected: int
    #: bars outside regular hours
    off_hours: int
    #: bars made up for minutes that still have none
    filled: int
    #: missing minutes by reason
    missing: Mapping[Why, int]
    #: the newest sessions, oldest first
    recent: tuple[SessionCoverage, ...]

    @property
    def gap_minutes(self) -> int:
        return sum(minutes for why, minutes in self.missing.items() if why.is_gap)


@dataclass(frozen=True)
class Look:
    """What there was of a symbol at one look: bars, what was answered of them, refused rows and made-up bars."""

    symbol: str
    bars: Snapshot
    answered: tuple[Answered, ...]
    refused: Snapshot
    filled: Snapshot
    #: the last minute that is due by now: see gaps.due_until
    due_us: int | None

    @property
    def state(self) -> object:
        """What names everything that facts and minutes are worked out from."""
        return self.symbol, self.bars.version, self.answered, self.refused.version, self.filled.version, self.due_us


@dataclass(frozen=True)
class Minutes:
    """Every stored minute (int64 microseconds, ascending), and every one that is not there."""

    ts_us: Int64Array
    missing: Missing

    def sessions(self, symbol: str) -> list[SessionCoverage]:
        return by_session(symbol, self.missing)


class Told:
    """Remembers what was told, in this process."""

    def __init__(self, lake: Lake, quarantine: QuarantineStore, filled: FilledStore) -> None:
        self._lake, self._quarantine, self._filled = lake, quarantine, filled
        self._facts: dict[str, tuple[object, Facts]] = {}
        self._minutes: OrderedDict[object, Minutes] = OrderedDict()
        self._lock = Lock()

    def facts(self, look: Look) -> Facts:
        known, facts = self._facts.get(look.symbol, (None, None))
        if facts is None or known != look.state:
            minutes = self.minutes(look)
            sessions = minutes.sessions(look.symbol)
            facts = Facts(
                sources=tuple(self._lake.read(look.bars, ["source"])["source"].drop_nulls().unique().sort()),
                sessions=sum(one.stored > 0 for one in sessions),
                sessions_expected=len(sessions),
                off_hours=off_hours(look.symbol, minutes.ts_us),
                filled=len(np.setdiff1d(self._filled.times_us(look.filled), minutes.ts_us, assume_unique=True)),
                missing=minutes.missing.counts(),
                recent=tuple(sessions[-RECENT_SESSIONS:]),
            )
            self._facts[look.symbol] = (look.state, facts)
        return facts

    def minutes(self, look: Look) -> Minutes:
        """Work it out, or return it where it was among the last asked for: years of minutes are too much to keep."""
        state = look.state
        with self._lock:
            found = self._minutes.get(state)
        if found is None:
            ts_us = self._lake.read(look.bars, ["ts"])["ts"].to_physical().to_numpy()
            refused_us = self._quarantine.times_us(look.refused)
            found = Minutes(ts_us, missing(look.symbol, ts_us, look.answered, refused_us, look.due_us))
            with self._lock:
                self._minutes[state] = found
                while len(self._minutes) > _KEPT_MINUTES:
                    self._minutes.popitem(last=False)
        return found
