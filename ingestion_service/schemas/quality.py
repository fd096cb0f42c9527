"""What the routes about gaps, refused rows and corporate actions take and answer."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ingestion_service.domain.actions import Kind
from ingestion_service.domain.lines import ask_lines
from ingestion_service.domain.requests import CompareBars, FillGaps
from ingestion_service.schemas.order import after_start
from ingestion_service.use_cases.actions import Action
from ingestion_service.use_cases.quality import QualityReport
from ingestion_service.use_cases.releasing import Chosen
from shared.contracts.messages import Day, Moment, Symbol


class BackfillQuery(BaseModel):
    """How gaps are to be filled; see domain/filling.py and domain/gaps.py."""

    model_config = ConfigDict(extra="forbid")

    max_iterations: int = Field(default=9, ge=1, le=9)
    no_trade: bool = False
    provider: str | None = None

    def request(self, symbol: str) -> FillGaps:
        return FillGaps(symbol=symbol, **self.model_dump())


class CompareBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    start: Moment
    end: Moment
    provider: str

    _ordered = field_validator("end")(after_start)

    def request(self, symbol: str) -> CompareBars:
        return CompareBars(symbol=symbol, **self.model_dump())


class Dropped(BaseModel):
    symbol: str
    dropped: int


class QuarantinedRow(BaseModel):
    """A row that came in and is not a bar; null where its source gave nothing that can be read as such.

    `releasable`: it can be a bar, if somebody says that it was real.
    """

    symbol: str
    id: str
    ts: datetime | None
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    said: str | None
    reason: str
    source: str
    received: datetime
    releasable: bool


class NearbyBar(BaseModel):
    """A stored bar, or a row that was refused for `reason`, beside a minute."""

    ts: datetime
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    source: str
    reason: str | None = None


class Check(BaseModel):
    """One line of what is known against a symbol's bars.

    found : minutes missing, rows refused, splits nobody told of, questions asked in vain, or a dividend's cash a share
    runs : stretches of missing minutes, the longest of `longest`; spans asked for in vain
    first, last : the day, or the span, that it is about
    """

    check: str
    found: float
    runs: int | None = None
    longest: int | None = None
    first: date | datetime | None = None
    last: datetime | None = None
    last_at: datetime | None = None
    detail: str | None = None


def checks_of(report: QualityReport) -> list[Check]:
    """Return what a report has against the bars as a list, in the order of the symbol's page."""
    return [
        *(
            Check(check=gap.why.value, found=gap.minutes, runs=gap.runs, longest=gap.longest)
            for gap in report.gaps
            if gap.minutes
        ),
        *(Check(check=reason, found=rows) for reason, rows in report.quarantine.items()),
        *(
            Check(
                check="split nobody told of",
                found=1,
                first=split.ex_date,
                detail=f"{split.ratio} for 1: {split.close_before} then {split.open}",
            )
            for split in report.suspected_splits
        ),
        *(
            Check(
                check=f"{ask.provider}: {ask.kind}",
                found=ask.asks,
                runs=ask.spans,
                first=ask.start,
                last=ask.end,
                last_at=ask.last_at,
                detail=ask.reason,
            )
            for ask in ask_lines(report.failed_asks)
        ),
        *(
            Check(
                check="dividend that adjusts nothing",
                found=one.cash,
                first=one.ex_date,
                detail=f"not below the close before it, {one.close_before} ({one.source})",
            )
            for one in report.impossible_dividends
        ),
    ]


class ReleaseBody(BaseModel):
    """Which refused rows are good: those that meet all of what is given; and who says so, and why.

    `reason` is a part of the reason they were refused for, [start, end) the span of their minutes.
    """

    model_config = ConfigDict(extra="forbid")

    ids: list[str] = Field(default_factory=list, max_length=10_000)
    minutes: list[Moment] = Field(default_factory=list, max_length=10_000)
    reason: str | None = None
    start: Moment | None = None
    end: Moment | None = None
    why: str = Field(min_length=1, max_length=1_000)
    by: str = Field(default="user", min_length=1, max_length=100)
    #: also where another bar has the minute by now; that one goes to the quarantine
    replace: bool = False

    @model_validator(mode="after")
    def _chosen(self) -> ReleaseBody:
        if not (self.ids or self.minutes or self.reason or self.start or self.end):
            raise ValueError("say which rows: ids, minutes, a part of their reason, or start and end")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"end {self.end:%Y-%m-%d %H:%M} must be later than start, {self.start:%Y-%m-%d %H:%M}")
        return self

    def chosen(self) -> Chosen:
        return Chosen(ids=self.ids, minutes=self.minutes, reason=self.reason, start=self.start, end=self.end)


class ReleaseForm(BaseModel):
    """The form beside a refused row."""

    model_config = ConfigDict(extra="forbid")

    id: str
    why: str = Field(min_length=1, max_length=1_000)
    replace: bool = False


class ReleaseAllForm(BaseModel):
    """The form below refused rows of a symbol: `rows` of them are to be released, those that `reason` leaves."""

    model_config = ConfigDict(extra="forbid")

    rows: int
    reason: str | None = None
    why: str = Field(min_length=1, max_length=1_000)
    replace: bool = False


class NewAction(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Kind
    ex_date: Day
    value: float | None = None
    factor: float | None = None
    former: Symbol | None = None

    def action(self) -> Action:
        return Action(**self.model_dump())


class ImportFactors(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1)
    glob: str | None = None
