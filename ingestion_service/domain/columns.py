"""Which column of a file is which of ours, and how its times are to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from shared.contracts.datasets import TS
from shared.errors import InvalidInput

#: The names by which a column is known without being told, compared in lower case.
_KNOWN_AS = {
    "ts": ("ts", "timestamp", "datetime", "time", "date", "t"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "symbol": ("symbol", "ticker"),
}
_REQUIRED = ("ts", "open", "high", "low", "close")
#: Epoch numbers below each bound are in that unit: 1e11 s is the year 5138, 1e11 ms is 1973.
_EPOCH_UNITS = ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1), (float("inf"), 0))


def match_columns(found: Sequence[str], named: Mapping[str, str], file: str) -> dict[str, str]:
    """Return our name -> their name, by the user's `named` (theirs -> ours) first, else by common names.

    Raises InvalidInput, naming the columns found, when one we need is missing or a name is unknown.
    """
    _check_named(found, named, file)
    matched = {ours: theirs for theirs, ours in named.items()}
    lower = {name.strip().lower(): name for name in reversed(found) if name not in named}
    for ours, names in _KNOWN_AS.items():
        theirs = next((lower[name] for name in names if name in lower), None)
        if ours not in matched and theirs is not None:
            matched[ours] = theirs
    missing = [name for name in _REQUIRED if name not in matched]
    if missing:
        raise InvalidInput(
            f"{file}: no column for {', '.join(missing)}; it has: {', '.join(found)}. "
            'Say which is which with columns, e.g. {"Last": "close"}'
        )
    return matched


def _check_named(found: Sequence[str], named: Mapping[str, str], file: str) -> None:
    for theirs, ours in named.items():
        if theirs not in found:
            raise InvalidInput(f"{file}: columns names {theirs!r}, but it has: {', '.join(found)}")
        if ours not in _KNOWN_AS:
            raise InvalidInput(f"columns maps {theirs!r} to {ours!r}: map to one of {', '.join(_KNOWN_AS)}")
    if len(set(named.values())) < len(named):
        raise InvalidInput("columns maps two columns to the same name: keep one of them")


def read_times(values: pl.Series, timezone: str) -> pl.Series:
    """Return `values` as UTC microseconds; null where a value cannot be read.

    Texts are ISO 8601 (a space for the T will do); those without an offset, and naive datetimes, are in `timezone`,
    where a time that the change of clocks skips or repeats cannot be told and is null. Numbers are seconds, milli-,
    micro- or nanoseconds since 1970, told by their size.
    """
    if values.dtype.is_numeric():
        return _from_epoch(values)
    if values.dtype == pl.String:
        return _from_text(values, timezone)
    if values.dtype == pl.Date:
        values = values.cast(pl.Datetime("us"))
    if not isinstance(values.dtype, pl.Datetime):
        raise InvalidInput(f"column {values.name!r} holds {values.dtype}, which is not a time")
    return _to_utc(values.dt.cast_time_unit("us"), timezone)


def _to_utc(values: pl.Series, timezone: str) -> pl.Series:
    if values.dtype == pl.Datetime("us"):
        values = values.dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
    return values.dt.convert_time_zone("UTC")


def _from_epoch(values: pl.Series) -> pl.Series:
    number = pl.col("number")
    in_us = pl.lit(None, dtype=pl.Float64)
    for bound, factor in reversed(_EPOCH_UNITS):
        in_us = pl.when(number.abs() < bound).then(number * factor if factor else number / 1_000).otherwise(in_us)
    frame = pl.DataFrame({"number": values.cast(pl.Float64)})
    return frame.select(in_us.round().cast(pl.Int64).cast(TS)).to_series()


def _from_text(values: pl.Series, timezone: str) -> pl.Series:
    stripped = values.str.strip_chars()
    if stripped.drop_nulls().str.contains(r"^\d{9,19}(\.\d+)?$").all():
        return _from_epoch(stripped.cast(pl.Float64))
    # one spelling for all: "T" in the middle, seconds always there, no trailing "Z"
    text = (
        stripped.str.replace(r"^(\d{4}-\d\d-\d\d)$", "${1}T00:00:00").str.replace(" ", "T").str.replace("Z$", "+00:00")
    )
    text = text.str.replace(r"T(\d\d:\d\d)($|[+-])", "T${1}:00${2}")
    zoned = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False)
    naive = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    return zoned.zip_with(zoned.is_not_null(), _to_utc(naive, timezone)) if zoned.len() else zoned
