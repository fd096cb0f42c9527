"""One column as it was at two moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_service.domain.leaks.findings import Check, Finding
from shared.errors import InvalidInput

#: sums in another order differ in the last digits; what differs by more was another number
TOLERANCE = 1e-7


@dataclass(frozen=True)
class Differences:
    """How many values differ, of how many, and the first of them in words."""

    rows: int
    compared: int
    example: str


def differences(earlier: pl.DataFrame, now: pl.DataFrame) -> Differences:
    """Compare `ts`, `value` of two moments: every value there was earlier must still be there, and the same.

    NaN and null are no value; one that has become a value is a difference, since it was filled in afterwards.
    """
    both = earlier.join(now, on="ts", how="left", suffix="_now", maintain_order="left")
    old, new = (both[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in ("value", "value_now"))
    known = old[~np.isnan(old)]
    scale = float(np.std(known)) if len(known) else 0.0
    close = np.abs(old - new) <= TOLERANCE * (scale + np.abs(old))
    differ = np.flatnonzero(~(close | (np.isnan(old) & np.isnan(new))))
    if not len(differ):
        return Differences(0, len(old), "")
    row = int(differ[0])
    return Differences(len(differ), len(old), f"{old[row]:.6g} became {new[row]:.6g} for {both['ts'][row]}")


def check_vintages(earlier: pl.DataFrame, now: pl.DataFrame) -> Finding:
    """Return whether values changed after they were made. Raises InvalidInput when the two share no instant."""
    found = differences(earlier, now)
    if earlier.join(now, on="ts", how="semi").is_empty():
        raise InvalidInput("the two columns share no instant: bring the same column twice, the earlier one shorter")
    return Finding(
        check=Check.VINTAGES,
        leak=found.rows > 0,
        strength=float(found.rows),
        threshold=0.0,
        detail=f"{found.rows} of {found.compared} values changed afterwards; {found.example}"
        if found.rows
        else f"all {found.compared} values are what they were",
    )
