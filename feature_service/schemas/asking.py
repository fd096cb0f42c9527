"""Which built rows are asked for, and in what form; what of a set its page is to show."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from feature_service.use_cases.features import Wanted
from feature_service.use_cases.together import Join
from shared.contracts.messages import Moment
from shared.web.tables import TableFormat

#: values (rows times columns) that one answer may hold: text takes several times the memory of numbers
MOST_VALUES: dict[TableFormat, int] = {
    "json": 5_000_000,
    "csv": 30_000_000,
    "parquet": 100_000_000,
    "arrow": 100_000_000,
}


def listed(text: str) -> tuple[str, ...]:
    """Return the parts of "a, b", each once."""
    return tuple(dict.fromkeys(part for one in text.split(",") if (part := one.strip())))


def header(wanted: Wanted) -> dict[str, str]:
    """Return the header that says of which set an answer's rows are."""
    return {"X-Feature-Set": wanted.feature_set}


class RowsAsked(BaseModel):
    """Rows of [start, end) of a set; all that are built when left out."""

    start: Moment | None = Field(None, description="2024-05-01 or 2024-05-01T13:30:00Z; a day is its midnight in UTC")
    end: Moment | None = Field(None, description="not included")
    columns: str = Field("", description="comma-separated; all of the set when left out")
    feature_set: str = Field(
        "", description="a set's name or id; left out: the first that is built and has the columns"
    )
    format: TableFormat = "json"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"end {self.end:%Y-%m-%d %H:%M} must be later than start, {self.start:%Y-%m-%d %H:%M}")
        return self

    @property
    def wanted(self) -> Wanted:
        return Wanted(
            start=self.start,
            end=self.end,
            columns=listed(self.columns),
            feature_set=self.feature_set,
            most_values=MOST_VALUES[self.format],
        )


class AlignedAsked(RowsAsked):
    """Rows of several symbols side by side."""

    symbols: str = Field(description="comma-separated, 2 to 50")
    join: Join = "inner"
    max_age: Annotated[int, Field(ge=0, le=86_400, description="seconds, for join=asof")] = 300


class ChartAsked(BaseModel):
    """One column for a chart; `from` and `to` as ISO 8601, as a day or in seconds since 1970."""

    column: str
    feature_set: str = ""
    start: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")

    @property
    def wanted(self) -> Wanted:
        return Wanted(start=self.start, end=self.end, columns=(self.column,), feature_set=self.feature_set)


class SetView(BaseModel):
    """What of a set is shown; what is not there falls back to the first there is."""

    symbol: str = ""
    horizon: int = Field(15, ge=1, le=389)
    sort: str = "cluster"
    column: str = ""
    cluster: int = -1
