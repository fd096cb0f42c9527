"""Leak checks: of a feature of the catalogue, and of a column that somebody brings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from feature_service.domain.bars import Bars, Fitted, bars_of
from feature_service.domain.blocks import Month, estimate, months_between
from feature_service.domain.catalogue import FULL
from feature_service.domain.feature import Feature
from feature_service.domain.leaks.column import MAX_BARS, Detector
from feature_service.domain.leaks.findings import Check, Report
from feature_service.domain.leaks.recompute import Frames, check_function
from feature_service.domain.leaks.vintages import check_vintages
from feature_service.store import BAR_COLUMNS, Store
from feature_service.use_cases.gathering import Roles
from shared.contracts.datasets import TS
from shared.contracts.identifiers import check_symbol
from shared.errors import InvalidInput, NotFound

#: bars that a feature of the catalogue is run again on: past the longest warm-up, and quick
_FUNCTION_BARS = 8_000


class Leaks:
    """Whether a column knows the future."""

    def __init__(self, store: Store, roles: Roles) -> None:
        self._store = store
        self._roles = roles

    def of_column(self, symbol: str, column: pl.DataFrame) -> Report:
        """Check `ts`, `value` and, if there is one, `earlier`: the same column as it was at an earlier moment.

        Raises InvalidInput for a table of another kind, NotFound when the symbol has no bars in its span.
        """
        column = _checked(column)
        known = column.filter(pl.col("value").is_not_null())
        first, last = known["ts"][0], known["ts"][-1]
        # bars before the column describe its first rows' past, bars after it its last rows' future
        symbol = check_symbol(symbol)
        bars = self._bars(symbol, months_between(first - timedelta(days=7), Month.of(last).next.end))
        inside = bars.filter(pl.col("ts").is_between(first, last)).height
        until = bars.filter(pl.col("ts") <= last + timedelta(days=4))
        arrays = bars_of(until.tail(min(MAX_BARS, inside + 3_000)))
        report = Detector(arrays, _catalogue(arrays), bars_of(until)).check(
            known["ts"].to_physical().to_numpy(), known["value"].to_numpy()
        )
        if "earlier" not in column.columns:
            reason = "bring the column as it was at an earlier moment too, as a third column named earlier"
            return Report(findings=report.findings, skipped={**report.skipped, Check.VINTAGES: reason})
        vintages = check_vintages(_delivered(column.select("ts", value="earlier")), column.select("ts", "value"))
        return Report(findings=(vintages, *report.findings), skipped=report.skipped)

    def of_feature(self, name: str, symbol: str) -> Report:
        """Run a feature of the catalogue again on prefixes and changed futures of the symbol's bars.

        Of its newest months, three in which everybody that the feature reads was there too; where there are none, the
        newest three, and the report says who was missing.
        """
        feature, symbol = FULL.feature(name), check_symbol(symbol)
        roles = sorted({*feature.context, *(role for fit in feature.fits for role in fit.roles)})
        months, players = self._together(symbol, roles)
        bars = self._bars(symbol, months).tail(_FUNCTION_BARS)
        context = {role: self._bars(player, months) for role, player in players.items()}
        # cuts fall into the last two thirds: what is estimated on the first third is known at each
        fits = _estimated(feature, bars.head(bars.height // 3), context)

        def function(own: pl.DataFrame, beside: Frames) -> pl.DataFrame:
            others = {role: bars_of(frame) for role, frame in beside.items()}
            values = feature.values(bars_of(own).beside(others, fits))
            return own.select("ts").with_columns(value=pl.Series(values))

        report = check_function(function, bars, context, np.random.default_rng(0))
        if not (absent := [role for role in roles if role not in players]):
            return report
        who = "; ".join(f"{role}: {', '.join(self._roles[role])}" for role in absent)
        reason = f"nobody who plays its context has bars in a month of {symbol} ({who}), so its default was checked"
        return Report(findings=report.findings, skipped={**report.skipped, Check.CONTEXT_CHANGED: reason})

    def _together(self, symbol: str, roles: Sequence[str]) -> tuple[list[Month], dict[str, str]]:
        """Return the newest months of `symbol` in which all roles are played, else the newest, and who plays then."""
        pinned = self._store.bars(symbol, *(one for role in roles for one in self._roles[role]))
        own = pinned.months(symbol)
        have = {role: {one: set(pinned.months(one)) for one in self._roles[role]} for role in roles}
        shared = [month for month in own if all(any(month in of for of in have[role].values()) for role in roles)]
        months = (shared or own)[-3:]
        cast = {role: next((one for one, of in have[role].items() if of & set(months)), None) for role in roles}
        return months, {role: player for role, player in cast.items() if player is not None}

    def _bars(self, symbol: str, wanted: Sequence[Month]) -> pl.DataFrame:
        pinned = self._store.bars(symbol)
        months = [month for month in pinned.months(symbol) if month in set(wanted)]
        if not months:
            span = f" from {min(wanted)} to {max(wanted)}" if wanted else ""
            raise NotFound(f"there are no bars of {symbol}{span}: ingest or import them first")
        return pl.concat([pinned.usable(symbol, month).select(BAR_COLUMNS) for month in months])


def _checked(column: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in ("ts", "value") if name not in column.columns]
    if missing:
        raise InvalidInput(f"the table has no column {missing[0]!r}: it needs ts (bar starts in UTC) and value")
    if column.is_empty():
        raise InvalidInput("the table has no rows: it needs ts (bar starts in UTC) and value")
    numbers = [name for name in ("value", "earlier") if name in column.columns]
    if text := [name for name in numbers if not column[name].dtype.is_numeric() and column[name].dtype != pl.Null]:
        raise InvalidInput(f"{text[0]} is of type {column[text[0]].dtype}: it must be a number")
    column = _timed(column).select("ts", pl.col(numbers).cast(pl.Float64).fill_nan(None)).sort("ts")
    if column["ts"].null_count():
        raise InvalidInput(f"ts is empty in {column['ts'].null_count()} rows: each row must have its own instant")
    if not (again := column.filter(pl.col("ts").is_duplicated())).is_empty():
        raise InvalidInput(f"ts holds {again['ts'][0]} more than once: each row must have its own instant")
    if not column["ts"].dt.year().is_between(1900, 2199).all():
        raise InvalidInput(f"ts runs from {column['ts'][0]} to {column['ts'][-1]}: use the years 1900 to 2199")
    _refuse_no_numbers(column)
    return column


def _refuse_no_numbers(column: pl.DataFrame) -> None:
    for name in column.columns[1:]:
        if not (infinite := column.filter(pl.col(name).is_infinite())).is_empty():
            raise InvalidInput(f"{name} is {infinite[name][0]} at {infinite['ts'][0]}: leave out what has no value")
    if column["value"].null_count() == column.height:
        raise InvalidInput(f"value is empty in all {column.height} rows: there is nothing to check")


def _delivered(earlier: pl.DataFrame) -> pl.DataFrame:
    """Return the rows between the first and the last value: before and after, the earlier column had not reached.

    An empty row among them had no value then, and one that has one now was filled in.
    """
    ts = earlier.filter(pl.col("value").is_not_null())["ts"]
    return earlier.filter(pl.col("ts").is_between(ts.min(), ts.max()))


def _timed(column: pl.DataFrame) -> pl.DataFrame:
    if column["ts"].dtype == pl.String:
        try:
            column = column.with_columns(pl.col("ts").str.to_datetime(time_zone="UTC"))
        except pl.exceptions.PolarsError as error:
            raise InvalidInput(f"ts is not a column of times: write 2024-05-01T13:30:00Z ({error})") from error
    if not isinstance(column["ts"].dtype, pl.Datetime):
        raise InvalidInput(f"ts is of type {column['ts'].dtype}: it must be a time in UTC")
    if column["ts"].dtype.time_zone is None:
        column = column.with_columns(pl.col("ts").dt.replace_time_zone("UTC"))
    return column.with_columns(pl.col("ts").cast(TS))


def _catalogue(bars: Bars) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    plain: Sequence[Feature] = [one for one in FULL.features if not one.context and not one.fits]
    return {one.name: one.values(bars) for one in plain}


def _estimated(feature: Feature, bars: pl.DataFrame, context: dict[str, pl.DataFrame]) -> dict[str, Fitted]:
    until = bars["ts"][-1]
    past = {role: frame.filter(pl.col("ts") <= until) for role, frame in context.items()}
    found = {fit.name: estimate(fit, bars, past) for fit in feature.fits}
    return {name: numbers for name, numbers in found.items() if numbers is not None}
