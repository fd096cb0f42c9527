"""What the routes take and answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from ingestion_service.domain.requests import ImportFiles, IngestBars, Timezone
from shared.contracts.messages import Instant, Symbol


def _midnight(value: object) -> object:
    """Read a bare date as its midnight in UTC; leave the rest to the type."""
    if isinstance(value, str) and len(value.strip()) == len("2024-01-02"):
        try:
            return datetime.combine(date.fromisoformat(value.strip()), time(), UTC)
        except ValueError:
            return value
    return value


Moment = Annotated[Instant, BeforeValidator(_midnight)]


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class IngestSpan(BaseModel):
    """What to fetch: [start, end); a bare date is its midnight in UTC."""

    start: Moment
    end: Moment
    #: default: the provider this service is set up with
    provider: str | None = None
    refresh: bool = False

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: datetime, info: ValidationInfo) -> datetime:
        start: datetime | None = info.data.get("start")
        if start is not None and start >= end:
            raise ValueError(f"must be later than start, {start:%Y-%m-%d %H:%M}")
        return end

    def requests(self, symbols: list[str], provider: str) -> list[IngestBars]:
        """Return one job's payload for each symbol."""
        named = self.provider or provider
        return [
            IngestBars(symbol=symbol, start=self.start, end=self.end, provider=named, refresh=self.refresh)
            for symbol in dict.fromkeys(symbols)
        ]


class IngestSymbols(IngestSpan):
    symbols: list[Symbol] = Field(min_length=1, max_length=1_000)


class IngestForm(IngestSpan):
    """The form on the coverage page: symbols separated by commas or spaces."""

    symbols: list[Symbol] = Field(min_length=1, max_length=1_000)

    @field_validator("symbols", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value.replace(",", " ").split() if isinstance(value, str) else value


class ImportForm(BaseModel):
    """The import form: `columns` as "their name = ours", separated by commas or lines."""

    path: str = Field(min_length=1)
    glob: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    symbol: Symbol | None = None
    timezone: Timezone = "UTC"

    @field_validator("columns", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [pair.partition("=") for pair in value.replace("\n", ",").split(",") if pair.strip()]
        if not all(sign for _, sign, _ in pairs):
            raise ValueError('write columns as "their name = ours", e.g. Last = close')
        return {theirs.strip(): ours.strip() for theirs, _, ours in pairs}

    def request(self) -> ImportFiles:
        return ImportFiles(**self.model_dump())


class AcceptedIngest(BaseModel):
    """A job of a list of symbols."""

    symbol: str
    job_id: int
    link: str


class AcceptedIngests(BaseModel):
    jobs: list[AcceptedIngest]

    @classmethod
    def of(cls, requests: list[IngestBars], job_ids: list[int]) -> AcceptedIngests:
        return cls(
            jobs=[
                AcceptedIngest(symbol=request.symbol, job_id=job_id, link=f"/jobs/{job_id}")
                for request, job_id in zip(requests, job_ids, strict=True)
            ]
        )


class SymbolSummary(BaseModel):
    """What is stored of a symbol."""

    symbol: str
    first: datetime
    last: datetime
    rows: int


class CandlesAnswer(BaseModel):
    """Columns of equal length, oldest first, as the shared chart module reads them.

    `time` is seconds since 1970; volume is null where the source has none.
    """

    symbol: str
    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float | None]
