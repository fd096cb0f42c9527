"""Which rows may be stored, and why the others may not.

Every row that comes in is either a stored bar or a rejected row with one reason: `rows` of a Screened is always
`bars.height` plus the sum of `rejected`. Checks run in the order of the list below, and a row has the reason of the
first it fails. Bars outside regular hours are not wrong: extended hours and crypto are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from ingestion_service.domain.sources import RAW_SCHEMA
from shared.contracts.datasets import BARS_1M

#: So many rejected rows of each reason are shown as examples.
EXAMPLES = 3

_PRICES = ("open", "high", "low", "close")


class Reason(StrEnum):
    """Why a row is not stored."""

    #: the time is missing or cannot be read
    NO_TIME = "no readable time"
    #: outside the years the trading calendar knows: most often seconds read as milliseconds
    NO_CALENDAR = "time outside 1990 to 2035"
    #: a minute bar starts on a full minute
    OFF_MINUTE = "not on a full minute"
    #: missing, NaN, infinite or not a number
    NO_PRICE = "a price is missing or not a finite number"
    NOT_POSITIVE = "a price is zero or negative"
    #: low <= open, close <= high does not hold
    DISORDER = "open or close outside low..high"
    BAD_VOLUME = "volume is negative or infinite"
    #: the same minute comes again further down; the last one is stored
    DUPLICATE = "same minute again later (the last one is stored)"


@dataclass(frozen=True)
class Screened:
    """What became of a source's rows."""

    #: schema BARS_1M, sorted by time, one row a minute
    bars: pl.DataFrame
    #: how many rows came in
    rows: int
    rejected: dict[str, int]
    #: the first rejected rows of each reason: row number (from 1), reason, and the row's values as text
    examples: list[dict[str, str]]

    @property
    def rejected_rows(self) -> int:
        return sum(self.rejected.values())

    def why(self) -> str:
        """Return the reasons with their counts as one line, most frequent first."""
        ordered = sorted(self.rejected.items(), key=lambda item: -item[1])
        return "; ".join(f"{count} x {reason}" for reason, count in ordered)


def screen(raw: pl.DataFrame, symbol: str, source: str) -> Screened:
    """Split `raw` (RAW_SCHEMA, any order) into bars to store and rows to reject.

    A NaN volume means the source has none and becomes null; NaN is never a price.
    """
    judged = raw.select(RAW_SCHEMA.names()).with_columns(
        row=pl.int_range(1, pl.len() + 1), volume=pl.col("volume").fill_nan(None)
    )
    judged = judged.with_columns(reason=_first_reason())
    sound = pl.col("reason").is_null()
    judged = judged.with_columns(
        reason=pl.when(sound & pl.col("row").ne(pl.col("row").max().over("ts", "reason")))
        .then(pl.lit(Reason.DUPLICATE.value))
        .otherwise(pl.col("reason"))
    )
    bars = (
        judged.filter(pl.col("reason").is_null())
        .with_columns(symbol=pl.lit(symbol), source=pl.lit(source))
        .select(BARS_1M.schema.names())
        .sort("ts")
    )
    refused = judged.filter(pl.col("reason").is_not_null())
    counts = refused.group_by("reason", maintain_order=True).len()
    return Screened(bars, raw.height, dict(counts.iter_rows()), _examples(refused))


def _first_reason() -> pl.Expr:
    prices = [pl.col(name) for name in _PRICES]
    bottom, top = pl.min_horizontal("open", "close"), pl.max_horizontal("open", "close")
    rules = (
        (pl.col("ts").is_null(), Reason.NO_TIME),
        (~pl.col("ts").dt.year().is_between(1990, 2035), Reason.NO_CALENDAR),
        (pl.col("ts").dt.epoch("us") % 60_000_000 != 0, Reason.OFF_MINUTE),
        (pl.any_horizontal([price.is_null() | ~price.is_finite() for price in prices]), Reason.NO_PRICE),
        (pl.any_horizontal([price <= 0 for price in prices]), Reason.NOT_POSITIVE),
        ((pl.col("low") > bottom) | (pl.col("high") < top), Reason.DISORDER),
        ((pl.col("volume") < 0) | pl.col("volume").is_infinite(), Reason.BAD_VOLUME),
    )
    return pl.coalesce([pl.when(broken).then(pl.lit(reason.value)) for broken, reason in rules])


def _examples(refused: pl.DataFrame) -> list[dict[str, str]]:
    first = refused.group_by("reason", maintain_order=True).head(EXAMPLES)
    names = ["row", "reason", *RAW_SCHEMA.names()]
    text = first.select(names).with_columns(
        pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"), pl.exclude("ts").cast(pl.String)
    )
    return [{name: "missing" if value is None else value for name, value in row.items()} for row in text.to_dicts()]
