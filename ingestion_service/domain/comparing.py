"""Stored bars against another provider's of the same minutes.

Two providers never agree to the cent: feeds see different trades. A stored bar is **contradicted** when its high or low
is more than 1 % and ten ordinary bars beyond the other provider's, or when all of it is more than 1 % and three
ordinary bars away from all of theirs; and the other provider's bar lies within the levels around the minute, give or
take 1 % and ten ordinary bars. Then the other provider is believed. Where both are far off their surroundings,
or neither, nobody can say who is wrong, and the bar stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ingestion_service.domain.suspicion import LEVEL, ORDINARY

_LEAST, _ORDINARY_BARS, _ORDINARY_BARS_APART = 0.01, 10.0, 3.0
#: highs and lows of two providers within this share of each other agree; a spike is off its surroundings by 1 % or more
SAME = 0.005
#: closes within this share of each other agree
_AGREED = 0.001
#: fewest minutes to tell a factor by, and how many times their ordinary deviation it is at least
_FEWEST, _CLEAR = 10, 4.0


@dataclass(frozen=True)
class Comparison:
    """What became of the minutes both have. `contradicted`: (ts) of stored bars that the other provider refutes."""

    minutes: int
    agreed: int
    worst: float
    contradicted: pl.Series


def compare(ours: pl.DataFrame, theirs: pl.DataFrame) -> Comparison:
    """Compare bars (ts, open, high, low, close; sound, ascending) of the same symbol.

    `worst` is the largest difference of closes, as a share.
    """
    both = ours.join(theirs.select("ts", "open", "high", "low", "close"), on="ts", suffix="_other").sort("ts")
    if both.is_empty():
        return Comparison(0, 0, 0.0, ours["ts"].clear())
    level = pl.col("close_other").rolling_median(2 * LEVEL + 1, center=True, min_samples=LEVEL)
    span = (pl.col("high_other") / pl.col("low_other")).log()
    ordinary = span.rolling_median(2 * ORDINARY + 1, center=True, min_samples=LEVEL)
    beyond = pl.max_horizontal(
        (pl.col("high") / pl.col("high_other")).log(), (pl.col("low_other") / pl.col("low")).log()
    )
    apart_by = pl.max_horizontal(
        (pl.col("low") / pl.col("high_other")).log(), (pl.col("low_other") / pl.col("high")).log()
    )
    off_level = pl.max_horizontal((pl.col("high_other") / level).log(), (level / pl.col("low_other")).log())
    limit, limit_apart = (
        pl.max_horizontal(pl.lit(_LEAST), times * ordinary) for times in (_ORDINARY_BARS, _ORDINARY_BARS_APART)
    )
    refuted = (beyond > limit) | (apart_by > limit_apart)
    apart = (pl.col("close") / pl.col("close_other") - 1).abs()
    judged = both.select("ts", apart=apart, wrong=(refuted & (off_level < limit)).fill_null(value=False))
    apart_values = judged["apart"].to_numpy()
    return Comparison(
        minutes=judged.height,
        agreed=int(np.count_nonzero(apart_values < _AGREED)),
        worst=float(apart_values.max()),
        contradicted=judged.filter("wrong")["ts"],
    )


def factor_between(ours: pl.DataFrame, theirs: pl.DataFrame) -> float | None:
    """Return by what `theirs` (ts, close; as they came) stand off the sound bars `ours` of the same minutes.

    None where they stand on the same level, as feeds of the same trades do whatever their noise, or where they have
    fewer than ten minutes in common. A factor means other adjustments, or another asset.
    """
    both = ours.select("ts", "close").join(theirs.select("ts", "close"), on="ts", suffix="_other")
    both = both.filter(pl.col("close_other").is_finite() & (pl.col("close_other") > 0))
    if both.height < _FEWEST:
        return None
    apart = np.log(both["close_other"].to_numpy() / both["close"].to_numpy())
    middle = float(np.median(apart))
    clear = abs(middle) > max(_AGREED, _CLEAR * float(np.median(np.abs(apart - middle))))
    return float(np.exp(middle)) if clear else None


def agreeing(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """Return the bars of `ours` whose high and low are each within half a percent of `theirs` (ts, high, low)."""
    both = ours.join(theirs.select("ts", "high", "low"), on="ts", how="inner", suffix="_other", maintain_order="left")
    apart = [(pl.col(name) / pl.col(f"{name}_other") - 1).abs() for name in ("high", "low")]
    return both.filter(pl.max_horizontal(apart) <= SAME).select(ours.columns)
