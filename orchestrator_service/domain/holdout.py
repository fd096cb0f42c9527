"""Which account a look at sealed data is charged to.

A vintage is one symbol's CONFIRM dates, as first looked at. Its looks share one familywise error. Sliding the dates by
a few days, other costs or corrected bars must not open a fresh account on the same days, so a look goes to any vintage
of the symbol that overlaps it, until enough new days have arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared.contracts.identifiers import fingerprint
from shared.contracts.messages import Costs, Message, Window
from shared.contracts.sessions import sessions_between

#: new sessions that must have arrived before the newest ones are a fresh vintage
NEW_SESSIONS = 60


class Vintage(Message):
    """Sealed data and the looks it may bear: `alpha` is their joint error, each look's level alpha / looks."""

    id: str
    symbol: str
    window: Window
    data_version: str
    costs: Costs
    alpha: float
    looks: int

    @property
    def level(self) -> float:
        return self.alpha / self.looks


def new_vintage(symbol: str, window: Window, data_version: str, costs: Costs, alpha: float, looks: int) -> Vintage:
    """Return the vintage that these sealed data would open."""
    name = fingerprint("vintage", symbol=symbol, window=window, data_version=data_version, costs=costs)
    return Vintage(
        id=name, symbol=symbol, window=window, data_version=data_version, costs=costs, alpha=alpha, looks=looks
    )


def account_for(wanted: Vintage, opened: Sequence[Vintage]) -> Vintage:
    """Return the vintage that a look at `wanted` is charged to: an overlapping one of the same symbol, or itself.

    Of several the latest counts. A vintage whose end is 60 sessions or more away is another one: days released from
    it may overlap, the bound over vintages is a union bound.
    """
    bound = [one for one in opened if one.symbol == wanted.symbol and not _fresh(wanted, one)]
    return max(bound, key=lambda one: one.window.end, default=wanted)


def _fresh(wanted: Vintage, other: Vintage) -> bool:
    if wanted.window.start >= other.window.end or wanted.window.end <= other.window.start:
        return True
    ends = sorted((wanted.window.end, other.window.end))
    return len(sessions_between(_micros(ends[0]), _micros(ends[1]))) >= NEW_SESSIONS


def _micros(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000
