"""From many trials to a few that differ, and to one portfolio of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def diverse(
    candidates: Sequence[int],
    ledger: npt.NDArray[np.floating],
    owners: Sequence[str],
    limit: int,
    max_correlation: float,
) -> list[int]:
    """Return up to `limit` of `candidates` (rows of `ledger`, strongest first), greedily.

    A row is taken when its model was not taken before and its daily series is correlated with none of those taken
    by `max_correlation` or more in absolute value. `owners` names the model of every row of `ledger`.
    """
    taken: list[int] = []
    for row in candidates:
        if len(taken) == limit:
            break
        if owners[row] in {owners[other] for other in taken}:
            continue
        if all(abs(_correlation(ledger[row], ledger[other])) < max_correlation for other in taken):
            taken.append(row)
    return taken


def inverse_volatility(series: npt.NDArray[np.floating]) -> Floats:
    """Return weights proportional to 1/sd of each row of `series` (M, T), summing to 1; every row must vary."""
    weights = 1 / series.std(axis=1, ddof=1, dtype=np.float64)
    return weights / weights.sum()


def _correlation(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> float:
    return float(np.corrcoef(one.astype(np.float64), other.astype(np.float64))[0, 1])
