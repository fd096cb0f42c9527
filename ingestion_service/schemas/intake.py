"""What the routes that bring bars in take and answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from ingestion_service.domain.estimates import Estimate
from ingestion_service.domain.requests import ImportFiles, IngestBars, IngestMany, Stored, Timezone
from ingestion_service.domain.symbols import our_symbol
from ingestion_service.schemas.order import after_start
from ingestion_service.schemas.pairs import named_pairs
from shared.contracts.messages import Moment, Symbol
from shared.web.formats import duration
from shared.web.forms import Listed


def _spelled(value: object) -> object:
    return our_symbol(value) if isinstance(value, str) else value


#: a symbol in our spelling or a provider's: BTC/USD, I:VIX and ^VIX are known
Ticker = Annotated[Symbol, BeforeValidator(_spelled)]


class IngestSpan(BaseModel):
    """What to fetch: [start, end); a bare date is its midnight in UTC."""

    model_config = ConfigDict(extra="forbid")

    start: Moment
    end: Moment
    #: default: the chain of each symbol
    provider: str | None = None
    refresh: bool = False
    timeframe: Stored = "1m"

    _ordered = field_validator("end")(after_start)

    def requests(self, symbols: list[str]) -> list[IngestBars]:
        """Return one job's payload for each symbol."""
        return [
            IngestBars(
                symbol=symbol,
                start=self.start,
                end=self.end,
                provider=self.provider,
                refresh=self.refresh,
                timeframe=self.timeframe,
            )
            for symbol in dict.fromkeys(symbols)
        ]


class IngestSymbols(IngestSpan):
    """Many symbols: a job for each, or, `together`, one for all that asks for many of them at once."""

    symbols: list[Ticker] = Field(min_length=1, max_length=1_000)
    together: bool = False

    @model_validator(mode="after")
    def _minutes_together(self) -> Self:
        if self.together and self.timeframe != "1m":
            raise ValueError("together is for minutes: leave it out to fetch daily bars, one job for each symbol")
        return self

    def one_request(self) -> IngestMany:
        return IngestMany(
            symbols=tuple(dict.fromkeys(self.symbols)),
            start=self.start,
            end=self.end,
            provider=self.provider,
            refresh=self.refresh,
        )


class IngestForm(IngestSpan):
    """The form on the coverage page: symbols separated by commas or spaces."""

    symbols: Annotated[list[Ticker], Listed] = Field(min_length=1, max_length=1_000)


class EstimateAnswer(BaseModel):
    """What a fetch would ask for; fields as in `domain.estimates.Estimate`, and the same in words."""

    symbols: int
    pieces: int
    of_pieces: int
    requests: int
    seconds: float | None
    words: str

    @classmethod
    def of(cls, estimate: Estimate) -> EstimateAnswer:
        return cls(**asdict(estimate), words=_words(estimate))


def _words(estimate: Estimate) -> str:
    """Write `about 412 requests, about 6 m of one worker`, and how much is there already."""
    if not estimate.pieces:
        return "Nothing to ask for: all of it was answered before."
    requests = f"About {estimate.requests:,} {'request' if estimate.requests == 1 else 'requests'}"
    time = "" if estimate.seconds is None else f", about {duration(max(estimate.seconds, 1.0))} of one worker"
    there = estimate.of_pieces - estimate.pieces
    reused = f"; {there:,} of {estimate.of_pieces:,} months were answered before" if there > 0 else ""
    return f"{requests}{time}{reused}."


class ImportForm(BaseModel):
    """The import form: `columns` as "their name = ours", separated by commas or lines."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1)
    glob: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    symbol: Symbol | None = None
    timezone: Timezone = "UTC"
    timeframe: Stored = "1m"

    @field_validator("columns", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        return (
            named_pairs(value, 'write columns as "their name = ours", e.g. Last = close')
            if isinstance(value, str)
            else value
        )

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
