"""Which account a look at sealed data is charged to.

A vintage is one symbol's CONFIRM dates, as first looked at. Its looks share one familywise error. Sliding the dates,
cutting them shorter or further back, other costs or corrected bars must not open a fresh account, so a look goes to the
symbol's latest vintage until enough days that are newer than all of it have arrived.
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
    """Return the vintage that a look at `wanted` is charged to: an opened one of the same symbol, or itself.

    Of several the latest counts. Only sessions after a vintage's end are new to it: with 60 of them `wanted` is another
    vintage, and days it shares with the old one are allowed, the bound over vintages is a union bound. Days before
    that end were looked at or searched on already, however they are cut.
    """
    bound = [one for one in opened if one.symbol == wanted.symbol and _new_sessions(wanted, one) < NEW_SESSIONS]
    return max(bound, key=lambda one: one.window.end, default=wanted)


def _new_sessions(wanted: Vintage, other: Vintage) -> int:
    """Return how many sessions of `wanted` begin after the end of `other`."""
    first = max(wanted.window.start, other.window.end)
    return len(sessions_between(_micros(first), _micros(wanted.window.end))) if first < wanted.window.end else 0


def _micros(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000
