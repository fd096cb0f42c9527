"""What the trials of a batch say together: plateaus, heatmaps, importance, the best so far.

All of it is read off three arrays: the trials' points, a figure of each (NaN where it is undefined) and their trades.

Neighbours of a trial are trials of the same pair whose settings differ along one ordered axis by one value that was
tried. The *plateau* of a trial is the median figure of its neighbours over its own, cut to [0, 1]: 1 on a plateau, 0
on a lone peak. An undefined figure of a neighbour counts as 0, and so does that of a neighbour with fewer than
FEW_TRADES trades. Undefined (NaN) without two neighbours, or where the own figure is not positive.

*Importance* of a coordinate is the share of the figures' variance that lies between its values: eta squared, the
first-order term of a functional analysis of variance (Hutter, Hoos, Leyton-Brown, "An Efficient Approach for Assessing
Hyperparameter Importance", 2014). It is exact for a full grid; where values were not tried equally often, as in a
guided search, main effects overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimization_service.domain.luck import FEW_TRADES
from optimization_service.domain.space import PAIR, Points, Space
from shared.errors import InvalidInput

Floats = npt.NDArray[np.float64]

#: a table of more rows or columns cannot be read
MAX_HEATMAP = 40
_LEAST_NEIGHBOURS = 2


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Trials of one batch in the order of their numbers: point, figure (NaN: undefined) and trades of each, (n,)."""

    points: Points
    values: Floats
    trades: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Heatmap:
    """One figure by two parameters; `cells` and `trials` have a row for each of `row_values`."""

    rows: str
    columns: str
    row_values: list[str]
    column_values: list[str]
    cells: list[list[float | None]]
    trials: list[list[int]]


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """How well the neighbourhood of each trial holds, (n,), and how many neighbours it has."""

    score: Floats
    neighbours: npt.NDArray[np.int64]


def links(space: Space, points: Points) -> npt.NDArray[np.int64]:
    """Return pairs of trials that are neighbours, as indices into `points`, shape (m, 2)."""
    coordinates = space.coordinates(points)
    found: list[npt.NDArray[np.int64]] = [np.zeros((0, 2), dtype=np.int64)]
    for column, axis in enumerate(space.axes, start=1):
        if not axis.ordered or len(axis.values) < 2 or len(points) < 2:
            continue
        # trials in line with each other along this axis: sorted, they lie next to their neighbours
        others = np.delete(coordinates, column, axis=1)
        order = np.lexsort((coordinates[:, column], *others.T[::-1]))
        same = (others[order][1:] == others[order][:-1]).all(axis=1)
        found.append(np.stack([order[:-1][same], order[1:][same]], axis=1))
    return np.concatenate(found)


def worth(found: Figures) -> Floats:
    """Return the figures with 0 for those that are undefined or of too few trades to mean anything."""
    return np.where(np.isnan(found.values) | (found.trades < FEW_TRADES), 0.0, found.values)


def plateaus(space: Space, found: Figures) -> Plateau:
    """Return the plateau of each trial; see the top of this file for what it is."""
    beside: list[list[float]] = [[] for _ in found.points]
    worths: list[float] = worth(found).tolist()
    pairs: list[list[int]] = links(space, found.points).tolist()
    for left, right in pairs:
        beside[left].append(worths[right])
        beside[right].append(worths[left])
    score = np.full(len(beside), np.nan)
    for index, values in enumerate(beside):
        own = float(found.values[index])
        if len(values) >= _LEAST_NEIGHBOURS and own > 0:
            score[index] = min(max(float(np.median(values)) / own, 0.0), 1.0)
    neighbours = np.array([len(values) for values in beside], dtype=np.int64)
    return Plateau(score=score, neighbours=neighbours)


def importance(space: Space, found: Figures) -> list[tuple[str, float]]:
    """Return each coordinate with more than one value and its share of the variance, the largest first."""
    known = ~np.isnan(found.values)
    values = found.values[known]
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if total <= 0:
        return []
    coordinates = space.coordinates(found.points[known])
    shares: list[tuple[str, float]] = []
    for column, name in enumerate(space.names):
        at = coordinates[:, column]
        counts = np.bincount(at, minlength=space.shape[column])
        if np.count_nonzero(counts) < 2:
            continue
        sums = np.bincount(at, weights=values, minlength=space.shape[column])
        means = sums / np.maximum(counts, 1)
        shares.append((name, float((counts * (means - values.mean()) ** 2).sum()) / total))
    return sorted(shares, key=lambda one: (-one[1], one[0]))


def best_so_far(values: Floats) -> Floats:
    """Return the best figure up to each trial; NaN before the first that is defined."""
    filled = np.where(np.isnan(values), -np.inf, values)
    best = np.maximum.accumulate(filled) if len(values) else filled
    return np.where(np.isneginf(best), np.nan, best)


def heatmap(
    space: Space, found: Figures, rows: str, columns: str, pair_names: Sequence[str], *, median: bool = True
) -> Heatmap:
    """Return the median (or best) figure of all trials with each combination of two coordinates.

    Raises InvalidInput for a name that is no coordinate, the same twice, or more values than can be read.
    """
    row, column = (_column(space, name) for name in (rows, columns))
    if row == column:
        raise InvalidInput(f"rows and columns are both {rows!r}: name two different parameters")
    coordinates = space.coordinates(found.points)
    row_at, column_at = np.unique(coordinates[:, row]), np.unique(coordinates[:, column])
    for name, at in ((rows, row_at), (columns, column_at)):
        if len(at) > MAX_HEATMAP:
            raise InvalidInput(f"{name} has {len(at)} values: a heatmap shows at most {MAX_HEATMAP}, choose another")
    cells: list[list[float | None]] = [[None] * len(column_at) for _ in row_at]
    trials = [[0] * len(column_at) for _ in row_at]
    for i, one in enumerate(row_at):
        in_row = coordinates[:, row] == one
        for j, other in enumerate(column_at):
            values = found.values[in_row & (coordinates[:, column] == other)]
            known = values[~np.isnan(values)]
            trials[i][j] = len(values)
            if len(known):
                cells[i][j] = float(np.median(known) if median else known.max())
    return Heatmap(
        rows=rows,
        columns=columns,
        row_values=[_label(space, row, int(at), pair_names) for at in row_at],
        column_values=[_label(space, column, int(at), pair_names) for at in column_at],
        cells=cells,
        trials=trials,
    )


def _column(space: Space, name: str) -> int:
    if name not in space.names:
        raise InvalidInput(f"there is no parameter {name!r} in this batch: choose from {', '.join(space.names)}")
    return space.names.index(name)


def _label(space: Space, column: int, at: int, pair_names: Sequence[str]) -> str:
    return pair_names[at] if column == 0 else space.axes[column - 1].label(at)


def usual_axes(
    space: Space, ranked: Sequence[tuple[str, float]], rows: str | None = None, columns: str | None = None
) -> tuple[str, str] | None:
    """Return the two parameters a heatmap shows, (rows, columns): those chosen, else the ones that decide most.

    Ordered ones first, because a picture of them shows plateaus. None when no two can be read as a table.
    """
    count = dict(zip(space.names, space.shape, strict=True))
    ordered = {axis.name for axis in space.axes if axis.ordered}
    by_importance = [name for name, _ in ranked] + list(space.names[1:]) + [PAIR]
    readable = [name for name in dict.fromkeys(by_importance) if count[name] <= MAX_HEATMAP]
    readable.sort(key=lambda name: (count[name] == 1, name not in ordered))
    spare = [name for name in readable if name not in (rows, columns)]
    across = columns or (spare.pop(0) if spare else None)
    down = rows or (spare.pop(0) if spare else None)
    return None if across is None or down is None else (down, across)
