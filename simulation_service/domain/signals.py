"""A series that a user brings: read from a file's content, checked, named by what it says.

Columns: `ts`, the start of the bar at whose CLOSE the value was known, with a time zone; and one of

* `prediction`, in whatever unit the threshold is meant in; a bar without a row, or with an empty one, has no signal;
* `position`, one of -1, 0, 1: it stands from its bar until the next row, and ends with the last row.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from shared.contracts.backtests import Signal
from shared.contracts.datasets import TS
from shared.contracts.identifiers import fingerprint
from shared.errors import InvalidInput

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Kind = Literal["prediction", "position"]

#: five years of minutes around the clock
MAX_ROWS = 3_000_000
_PARQUET = b"PAR1"
_POSITIONS = (-1.0, 0.0, 1.0)
_SHOWN = 80
#: predicted prices that are as a rule further from the close, as a fraction of it, are not prices
_FAR_FROM_PRICE = 0.5


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What a file said: `frame` has `ts` (UTC, ascending, unique) and `value` (null: no signal)."""

    kind: Kind
    frame: pl.DataFrame

    def fingerprint(self, symbol: str) -> str:
        """Return the name of this series for a symbol: the same content gets the same one, whatever the file's form."""
        digest = hashlib.sha256(self.frame["ts"].to_physical().to_numpy().tobytes())
        digest.update(self.frame["value"].fill_null(float("nan")).to_numpy().tobytes())
        return fingerprint("signals", symbol=symbol, signal_kind=self.kind, content=digest.hexdigest())


def read_signals(content: bytes) -> Signals:
    """Return the series in a CSV or Parquet file. Raises InvalidInput that says what is wrong, and in which row."""
    frame = _table(content)
    kinds = [name for name in ("prediction", "position") if name in frame.columns]
    if "ts" not in frame.columns or len(kinds) != 1:
        raise InvalidInput(
            "a series needs the columns ts and either prediction or position; "
            f"this file has {_readable(', '.join(frame.columns)) or 'none'}"
        )
    if frame.is_empty():
        raise InvalidInput("the file has a header but no rows")
    if frame.height > MAX_ROWS:
        raise InvalidInput(f"the file has {frame.height:,} rows, at most {MAX_ROWS:,} are taken: split it by time")
    kind: Kind = "prediction" if kinds[0] == "prediction" else "position"
    said = pl.DataFrame({"ts": _times(frame["ts"]), "value": _values(frame, kind)})
    if said["value"].null_count() == said.height:
        raise InvalidInput(f"no row of the file has a {kind}")
    return Signals(kind=kind, frame=_in_order(said))


def _table(content: bytes) -> pl.DataFrame:
    if not content.strip():
        raise InvalidInput("the file is empty: send CSV or Parquet with the columns ts and prediction or position")
    try:
        if content.startswith(_PARQUET):
            return pl.read_parquet(io.BytesIO(content))
        return pl.read_csv(io.BytesIO(content), infer_schema=False)
    # polars tells a malformed file in several ways, one of them a panic that is no Exception
    except (pl.exceptions.PolarsError, OSError, ValueError, pl.exceptions.PanicException) as error:
        first = _readable(str(error).strip().partition("\n")[0])
        raise InvalidInput(f"the file is neither CSV nor Parquet that can be read: {first}") from None


def _times(column: pl.Series) -> pl.Series:
    """Return the column as UTC microseconds."""
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone is None:
            raise InvalidInput("ts has no time zone: write it in UTC, as timestamp[us, UTC]")
        times = column.dt.convert_time_zone("UTC").cast(TS)
    elif column.dtype == pl.String:
        stripped = column.str.strip_chars()
        times = stripped.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
        if times.null_count():
            row = int(times.is_null().to_numpy().argmax())
            raise InvalidInput(
                f"row {row + 1}: ts {_readable(str(column[row]))!r} is not a time with a zone: "
                "write it like 2024-01-31T14:30:00Z"
            )
    else:
        raise InvalidInput(
            f"ts is {column.dtype}: write it as text like 2024-01-31T14:30:00Z, or as a timestamp in UTC"
        )
    if times.null_count():
        raise InvalidInput(f"row {int(times.is_null().to_numpy().argmax()) + 1} has no ts")
    return times.cast(TS).alias("ts")


def _values(frame: pl.DataFrame, kind: Kind) -> pl.Series:
    said = frame[kind]
    try:
        text = said.str.strip_chars().replace("", None) if said.dtype == pl.String else said
        values = text.cast(pl.Float64, strict=True).fill_nan(None)
    except pl.exceptions.PolarsError:
        bad = int((said.cast(pl.Float64, strict=False).is_null() & said.is_not_null()).to_numpy().argmax())
        raise InvalidInput(f"row {bad + 1}: {kind} {_readable(str(said[bad]))!r} is not a number") from None
    numbers = values.fill_null(0.0).to_numpy()
    wrong = ~np.isfinite(numbers)
    if kind == "position":
        wrong |= values.is_null().to_numpy() | ~np.isin(numbers, _POSITIONS)
    if wrong.any():
        row = int(wrong.argmax())
        right = "-1, 0 or 1" if kind == "position" else "a finite number, or empty for no signal"
        raise InvalidInput(f"row {row + 1}: {kind} {values[row]} must be {right}")
    return values.alias("value")


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    ordered = frame.sort("ts", maintain_order=True)
    twice = ordered.filter(pl.col("ts").is_duplicated())
    if twice.height:
        raise InvalidInput(f"{twice['ts'].n_unique()} times occur more than once, the first {twice['ts'][0]}: keep one")
    return ordered


def laid_over(
    kind: Kind, said_us: npt.NDArray[np.int64], value: npt.NDArray[np.float64], bars_us: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the series on each bar, NaN where it says nothing; all times in microseconds, ascending.

    Shapes: said_us, value (rows,); bars_us and the result (bars,).
    """
    if not len(said_us):
        return np.full(len(bars_us), np.nan)
    row = np.searchsorted(said_us, bars_us, side="right") - 1
    known = value[np.maximum(row, 0)]
    if kind == "position":
        stands = (row >= 0) & (bars_us <= said_us[-1])
    else:
        stands = (row >= 0) & (said_us[np.maximum(row, 0)] == bars_us)
    return np.where(stands, known, np.nan)


def check_unit(signal: Signal, said: Floats, close: Floats) -> None:
    """Raise InvalidInput when the series `said` (bars,; NaN: no signal) cannot be in the unit that `signal` names.

    Only what no model could mean is refused: a threshold in another unit would be passed always or never, in silence.
    Percent cannot be told from a log return. `close` (bars,) is in the prices' currency.
    """
    known = np.isfinite(said)
    if not known.any():
        return
    values = said[known]
    middle = float(np.median(np.abs(values)))
    if signal is Signal.PROBABILITY and not ((values >= 0) & (values <= 1)).all():
        why = f"probabilities are 0 to 1, these go from {values.min():g} to {values.max():g}"
    elif signal is Signal.POSITION and not np.isin(values, _POSITIONS).all():
        why = f"positions are -1, 0 or 1, these go from {values.min():g} to {values.max():g}"
    elif signal is Signal.LOG_RETURN and middle > 1:
        why = f"half of them are beyond +-{middle:g}: a log return of 1 is a rise of 172 %"
    elif signal is Signal.PRICE and float(np.median(np.abs(values / close[known] - 1))) > _FAR_FROM_PRICE:
        why = f"they are {np.median(values):g} in the middle, the closes {np.median(close[known]):g}"
    else:
        return
    raise InvalidInput(f"the predictions are not read as {signal}: {why}. Name the unit they are in")


def _readable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_SHOWN]
