"""What a check looked for, what it saw, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Check(StrEnum):
    """The checks, each with what a hit proves, what a miss leaves open, and how often it cries wolf."""

    PREFIX = "prefix"
    FUTURE_CHANGED = "future changed"
    CONTEXT_CHANGED = "context changed"
    VINTAGES = "vintages"
    FULL_SAMPLE = "full-sample statistics"
    SHIFTED = "shifted catalogue feature"
    FUTURE_LAG = "single future bars"
    FUTURE_BLOCK = "future path"
    BARLESS = "minutes without a bar"


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What one check can and cannot show."""

    hit: str
    miss: str
    false_alarms: str


_NEVER = "none: a deterministic function gives the same numbers from the same past"

MEANINGS = {
    Check.PREFIX: Meaning(
        hit="proof: a value of the past changes when later bars arrive",
        miss="no cut that was tried shows a difference; a leak that acts only elsewhere stays unseen",
        false_alarms=_NEVER,
    ),
    Check.FUTURE_CHANGED: Meaning(
        hit="proof: a value of the past follows later prices",
        miss="a leak that acts only elsewhere than at random, beside nights and weekends and at great moves stays "
        "unseen; it adds leaks that need no new row, such as a constant made from all prices",
        false_alarms=_NEVER,
    ),
    Check.CONTEXT_CHANGED: Meaning(
        hit="proof: a value of the past follows later bars of another symbol, or a revision of earlier ones",
        miss="as for changed futures; the context lacks the minutes of the cuts, so that a join must reach for others",
        false_alarms=_NEVER,
    ),
    Check.VINTAGES: Meaning(
        hit="proof: the value was another one when it was made; whoever trained on it saw what came later",
        miss="nothing between the two moments entered values before the first of them; what was filled in before the "
        "earlier column's first value is not seen",
        false_alarms="none, unless the column was redefined or its bars were corrected or came late in between",
    ),
    Check.FULL_SAMPLE: Meaning(
        hit="near proof: mean, spread, ends or ranks, or means by minute, are those of the whole sample to many "
        "digits, or the sums of all sessions agree",
        miss="only scalings of the delivered span itself are seen, not of a longer one nor with noise added, nor "
        "clipped, rounded or stretched to other ends than 0 or -1 and 1; a mixture or regression fitted on all rows, "
        "or a choice of the rows that are missing, leaves no such mark: bring the function, or the column of an "
        "earlier moment",
        false_alarms="below 1 in 1,000 columns (a mean of 0 to 8 digits by chance)",
    ),
    Check.SHIFTED: Meaning(
        hit="near proof: the column is a catalogue feature of a later bar, up to scale",
        miss="only features of the catalogue are compared, up to 60 bars ahead",
        false_alarms="below 1 in 10,000 columns: a correlation of 0.9999 that the same or earlier bars do not reach",
    ),
    Check.FUTURE_LAG: Meaning(
        hit="strong evidence: what is new in one later bar shows in the column",
        miss="a dependence below a correlation of 0.15 cannot be told from honest prediction",
        false_alarms="none seen in the catalogue; it takes an honest forecast with a correlation above 0.15",
    ),
    Check.FUTURE_BLOCK: Meaning(
        hit="strong evidence: the path of later prices explains what the past leaves open",
        miss="nonlinear or tiny dependence, below 10 % of what the past leaves open, stays unseen",
        false_alarms="none seen in the catalogue: the share is also twice that of histories whose days were exchanged",
    ),
    Check.BARLESS: Meaning(
        hit="strong evidence: in minutes without a trade the column knows the next trade's price",
        miss="needs at least 100 rows at minutes without a bar",
        false_alarms="as for the future path",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check's result. `strength` is compared with `threshold`; `detail` says it in words with the values."""

    check: Check
    leak: bool
    strength: float
    threshold: float
    detail: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All checks that could be made, and those that could not with the reason."""

    findings: tuple[Finding, ...]
    skipped: dict[str, str]

    @property
    def leak(self) -> bool:
        return any(one.leak for one in self.findings)
