"""Whether a column is a feature of the catalogue, of a later bar."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from feature_service.domain.bars import FloatArray
from feature_service.domain.leaks.findings import Check, Finding

#: bars ahead and back that are compared
SPAN = 60
THRESHOLD = 0.9999
#: how much nearer to 1 the later bar's correlation must come than that of the same bar or any before it
_NEARER = 100.0
_SCREEN = 0.99
_ROUNDING = 1e-9


def shifted(column: FloatArray, catalogue: Mapping[str, FloatArray]) -> Finding:
    """Compare `column` with every feature of the catalogue, up to `SPAN` bars ahead and back.

    column, catalogue : values on the same bars, shape (n,), NaN where undefined
    """
    best, name, lead = max(
        (
            (abs(_correlation(column, values, shift)), candidate, shift)
            for candidate, values in catalogue.items()
            for shift in _worth_a_look(column, values)
        ),
        default=(0.0, "", 0),
    )
    leak = best >= THRESHOLD and (1 - best) * _NEARER + _ROUNDING < 1 - _honest(column, catalogue)
    return Finding(
        check=Check.SHIFTED,
        leak=leak,
        strength=best,
        threshold=THRESHOLD,
        detail=f"equals {name} {lead} bars later, up to scale: correlation {best:.6f}"
        if leak
        else f"no feature of a later bar among {len(catalogue)} fits it better than one of the same bar",
    )


def _worth_a_look(column: FloatArray, values: FloatArray) -> list[int]:
    """Return the shifts ahead whose rough correlation is high."""
    rough = [(abs(_correlation(column[-4000:], values[-4000:], shift)), shift) for shift in range(1, SPAN + 1)]
    return [shift for size, shift in rough if size > _SCREEN]


def _honest(column: FloatArray, catalogue: Mapping[str, FloatArray]) -> float:
    """Return the nearest that the same or an earlier bar of any feature comes: a slow one resembles its next bar."""
    return max(abs(_correlation(column, values, -back)) for values in catalogue.values() for back in range(SPAN // 4))


def _correlation(column: FloatArray, values: FloatArray, shift: int) -> float:
    """Return the correlation of column[t] with values[t + shift]; 0 where it is undefined."""
    if shift >= 0:
        left, right = column[: len(column) - shift], values[shift:]
    else:
        left, right = column[-shift:], values[:shift]
    known = ~(np.isnan(left) | np.isnan(right))
    if known.sum() < 100:
        return 0.0
    left, right = left[known], right[known]
    left, right = left - left.mean(), right - right.mean()
    size = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / size if size > 0 else 0.0
