"""Which rows may be stored, and why the others may not.

Every row that comes in is either a stored bar or a refused row with one reason: `rows` of a Screened is always
`bars.height` plus the sum of `rejected`. Checks run in the order of `Reason`, and a row has the reason of the first it
fails. Refused rows go to the quarantine as they came.

Spikes and stale repeats (domain/suspicion.py) are refused like rows that are plainly wrong: a missing minute harms
nothing downstream, an invented price does; and the row can be looked at in the quarantine, and released from there
(domain/releases.py). Both are judged together with the bars stored around the new ones. Bars of a day without a session
(domain/hours.py) are refused too. Others outside regular hours are not wrong: extended hours and crypto are kept, and
the calendar tells them apart on every read, so no flag is stored.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import polars as pl

from ingestion_service.domain import suspicion
from ingestion_service.domain.days import MARK, opens_and_ends
from ingestion_service.domain.hours import on_closed_days
from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.domain.spans import Span
from shared.contracts.datasets import BARS_1M, QUARANTINE

#: So many rejected rows of each reason are shown as examples.
EXAMPLES = 3

_PRICES = ("open", "high", "low", "close")
_MINUTE = ("symbol", "ts")
#: years; a minute before them is a stamp in another unit, which falls into 1970
_MINUTES, _DAYS = (1990, 2035), (1927, 2035)
_REFUSED = ("symbol", *RAW_SCHEMA, "said")


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
    #: of minutes: nothing that the exchange lists trades then
    CLOSED_DAY = "out of session: the exchange is closed that day"
    #: a provider's answer to another question, or a minute that is still to come
    NOT_ASKED = "outside the span it was asked for"
    #: the same minute comes again further down; the last one that is sound is stored
    DUPLICATE = "same minute again later (the last one is stored)"
    SPIKE = "spike: far off the bars before and after it"
    STALE = "stale: repeats the minute before again and again"
    #: not found on the way in from a provider, who is asked for minutes that are over only
    NOT_OVER = "its minute is not over yet"
    #: of daily bars: the exchange was closed
    NO_SESSION = "a daily bar of a day without a session"
    DAY_NOT_OVER = "a daily bar of a session that is not over yet"
    #: a user judged another row of that minute good
    DISPLACED = "another row of its minute was released"
    #: not found on the way in: another provider gives this minute differently, and agrees with the minutes around
    CONTRADICTED = "contradicted by another provider"


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
    #: the rejected rows as they came: symbol, RAW_SCHEMA, said (null or the source's own text), reason, source
    refused: pl.DataFrame
    #: the same of bars that were stored before, and are spikes or stale now that the bars after them are here
    withdrawn: pl.DataFrame

    def why(self) -> str:
        """Return the reasons with their counts as one line, most frequent first."""
        ordered = sorted(self.rejected.items(), key=lambda item: -item[1])
        return "; ".join(f"{count} x {reason}" for reason, count in ordered)


def screen(raw: pl.DataFrame, symbol: str, source: str, around: pl.DataFrame | None = None) -> Screened:
    """Split `raw` (RAW_SCHEMA, any order) into bars to store and rows to reject.

    A NaN volume means the source has none and becomes null; NaN is never a price. `raw` may have a column `said`: the
    source's own text of rows that lost something in RAW_SCHEMA.

    around : stored bars (BARS_1M) before, between and after the new ones; at least `suspicion.REACH` on either side
        where there are so many. What is new replaces them.
    """
    return screen_many({symbol: raw}, source, around)[symbol]


def screen_many(
    raws: Mapping[str, pl.DataFrame], source: str, around: pl.DataFrame | None = None, asked: Span | None = None
) -> dict[str, Screened]:
    """Do `screen` for each symbol: the same verdicts, at the cost of few large questions instead of many small ones.

    around : as in `screen`, of all symbols, sorted by symbol and time
    asked  : rows outside of it are refused; None: any time is right
    """
    judged = pl.concat([_numbered(raw, symbol) for symbol, raw in raws.items()])
    inside = pl.lit(value=True) if asked is None else pl.col("ts").is_between(asked.start, asked.end, closed="left")
    judged = judged.with_columns(
        reason=pl.coalesce(
            _first_reason(),
            pl.when(~inside).then(pl.lit(Reason.NOT_ASKED.value)),
            pl.when(on_closed_days(judged)).then(pl.lit(Reason.CLOSED_DAY.value)),
        )
    )
    judged = _last_of_each_minute(judged)
    around = _as_bars(judged.clear(), source) if around is None else around
    while True:
        new = _as_bars(judged.filter(pl.col("reason").is_null()), source)
        suspects = _suspects(new, around)
        found = suspects.filter("new").select(*_MINUTE, "suspicion")
        again = judged.filter(pl.col("reason") == Reason.DUPLICATE.value).join(found, on=_MINUTE, how="semi")
        if found.height:
            judged = judged.join(found, on=_MINUTE, how="left").with_columns(reason=pl.coalesce("reason", "suspicion"))
        if again.is_empty():
            break
        # the last row of these minutes is refused: the one before it is judged in its place
        stands_in = again.group_by(_MINUTE).agg(pl.col("row").max()).select("symbol", "row")
        judged = judged.drop("suspicion")
        freed = judged.join(stands_in, on=["symbol", "row"], how="semi").with_columns(reason=pl.lit(None, pl.String))
        judged = pl.concat([judged.join(stands_in, on=["symbol", "row"], how="anti"), freed])
    refused = judged.filter(pl.col("reason").is_not_null()).sort("row")
    bars = new.join(suspects.filter("new"), on=_MINUTE, how="anti") if suspects.height else new
    withdrawn = suspects.filter(~pl.col("new")).select(*_REFUSED, reason=pl.col("suspicion"), source=pl.col("source"))
    bars_of, refused_of, withdrawn_of = _by_symbol(bars), _by_symbol(refused), _by_symbol(withdrawn)
    return {
        symbol: _screened(raw.height, source, bars_of(symbol), refused_of(symbol), withdrawn_of(symbol))
        for symbol, raw in raws.items()
    }


def screen_days(raw: pl.DataFrame, symbol: str, source: str, now: datetime) -> Screened:
    """Do `screen` for daily bars, `ts` any moment (UTC) of the trading day; of stored bars it is the session's open.

    Days have no neighbours close enough to call one a spike. Sources are marked as daily.
    """
    rows = _numbered(raw, symbol)
    opens, ends = opens_and_ends(symbol, rows["ts"])
    rows = rows.with_columns(opens=opens, ends=ends).with_columns(
        reason=pl.coalesce(
            _first_reason(_DAYS, Reason.NO_SESSION),
            pl.when(pl.col("opens").is_null()).then(pl.lit(Reason.NO_SESSION.value)),
            pl.when(pl.col("ends") > now).then(pl.lit(Reason.DAY_NOT_OVER.value)),
        )
    )
    judged = _last_of_each_minute(rows.with_columns(ts=pl.coalesce("opens", "ts")))
    bars = _as_bars(judged.filter(pl.col("reason").is_null()), source + MARK)
    refused = judged.filter(pl.col("reason").is_not_null()).sort("row")
    none = refused.clear().select(*_REFUSED, "reason", source=pl.lit(source + MARK))
    return _screened(raw.height, source + MARK, bars, refused, none)


def _numbered(raw: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """Return the rows with their symbol and number, from 1, and `said`, which not every source has."""
    said = pl.col("said") if "said" in raw.columns else pl.lit(None, pl.String)
    return raw.select(*RAW_SCHEMA, said=said, row=pl.int_range(1, pl.len() + 1)).with_columns(
        symbol=pl.lit(symbol), volume=pl.col("volume").fill_nan(None)
    )


def _by_symbol(rows: pl.DataFrame) -> Callable[[str], pl.DataFrame]:
    """Return what finds a symbol's rows, in the order they have here."""
    parts, none = rows.partition_by("symbol", as_dict=True), rows.clear()
    return lambda symbol: parts.get((symbol,), none)


def _screened(rows: int, source: str, bars: pl.DataFrame, refused: pl.DataFrame, withdrawn: pl.DataFrame) -> Screened:
    counts = dict(refused.group_by("reason", maintain_order=True).len().iter_rows()) if refused.height else {}
    return Screened(
        bars,
        rows,
        counts,
        _examples(refused) if refused.height else [],
        refused=refused.select(*_REFUSED, "reason", source=pl.lit(source)),
        withdrawn=withdrawn,
    )


def flaws(rows: pl.DataFrame) -> pl.Series:
    """Return why each of `rows` (RAW_SCHEMA) can never be a bar, null where it can."""
    return rows.select(reason=_first_reason())["reason"]


def only_what_is_over(screened: Screened, now: datetime) -> Screened:
    """Return the same with the bars refused whose minute is not over at `now`."""
    over = pl.col("ts") + pl.duration(minutes=1) <= now
    early = screened.bars.filter(~over)
    if early.is_empty():
        return screened
    refused = early.with_columns(said=pl.lit(None, pl.String), reason=pl.lit(Reason.NOT_OVER.value))
    return replace(
        screened,
        bars=screened.bars.filter(over),
        refused=pl.concat([screened.refused, refused.select(screened.refused.columns)]),
        rejected={**screened.rejected, Reason.NOT_OVER.value: early.height},
    )


def for_quarantine(refused: pl.DataFrame, received: datetime) -> pl.DataFrame:
    """Return refused or withdrawn rows in the schema of QUARANTINE.

    Equal rows of one answer get ids of their own, and the same answer again gives the same ids.
    """
    seen = Counter[str]()
    ids: list[str] = []
    for row in refused.drop("reason").iter_rows():
        text = repr(row)
        seen[text] += 1
        ids.append(hashlib.sha256(f"{text} {seen[text]}".encode()).hexdigest()[:24])
    return refused.with_columns(
        id=pl.Series(ids, dtype=pl.String), received=pl.lit(received, QUARANTINE.schema["received"])
    ).select(QUARANTINE.schema.names())


def _last_of_each_minute(judged: pl.DataFrame) -> pl.DataFrame:
    """Refuse the rows without a reason whose minute has another such row further down."""
    sound = pl.col("reason").is_null()
    return judged.with_columns(
        reason=pl.when(sound & pl.col("row").ne(pl.col("row").max().over(*_MINUTE, "reason")))
        .then(pl.lit(Reason.DUPLICATE.value))
        .otherwise(pl.col("reason"))
    )


def _as_bars(rows: pl.DataFrame, source: str) -> pl.DataFrame:
    return rows.with_columns(source=pl.lit(source)).select(BARS_1M.schema.names()).sort(_MINUTE)


def _suspects(new: pl.DataFrame, around: pl.DataFrame) -> pl.DataFrame:
    """Return the bars among both that are spikes or stale: BARS_1M, said (null), suspicion, new or not."""
    known = around.join(new, on=_MINUTE, how="anti").with_columns(new=pl.lit(value=False))
    bars = pl.concat([known, new.with_columns(new=pl.lit(value=True))]).sort(_MINUTE)
    spike, still = suspicion.spikes(bars), suspicion.stale(bars)
    return bars.with_columns(
        said=pl.lit(None, pl.String),
        suspicion=pl.when(pl.Series(spike))
        .then(pl.lit(Reason.SPIKE.value))
        .when(pl.Series(still))
        .then(pl.lit(Reason.STALE.value)),
    ).filter(pl.col("suspicion").is_not_null())


def _first_reason(calendar: tuple[int, int] = _MINUTES, outside: Reason = Reason.NO_CALENDAR) -> pl.Expr:
    prices = [pl.col(name) for name in _PRICES]
    bottom, top = pl.min_horizontal("open", "close"), pl.max_horizontal("open", "close")
    rules = (
        (pl.col("ts").is_null(), Reason.NO_TIME),
        (~pl.col("ts").dt.year().is_between(*calendar), outside),
        (pl.col("ts").dt.epoch("us") % 60_000_000 != 0, Reason.OFF_MINUTE),
        (pl.any_horizontal([price.is_null() | ~price.is_finite() for price in prices]), Reason.NO_PRICE),
        (pl.any_horizontal([price <= 0 for price in prices]), Reason.NOT_POSITIVE),
        ((pl.col("low") > bottom) | (pl.col("high") < top), Reason.DISORDER),
        ((pl.col("volume") < 0) | pl.col("volume").is_infinite(), Reason.BAD_VOLUME),
    )
    return pl.coalesce([pl.when(broken).then(pl.lit(reason.value)) for broken, reason in rules])


def _examples(refused: pl.DataFrame) -> list[dict[str, str]]:
    first = refused.group_by("reason", maintain_order=True).head(EXAMPLES)
    names = ["row", "reason", *RAW_SCHEMA]
    text = first.select(names).with_columns(
        pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"), pl.exclude("ts").cast(pl.String)
    )
    return [{name: "missing" if value is None else value for name, value in row.items()} for row in text.to_dicts()]
