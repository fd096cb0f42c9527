"""Clusters of success: where good trials lie next to each other.

Good is a positive figure among the best tenth of the batch, made with FEW_TRADES trades or more. Good trials that are
neighbours (as in `figures`) belong together; three of them are a cluster. Luck is scattered all over the space: what
lies alone is likelier lucky than what has company.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimization_service.domain.figures import Figures, links, worth
from optimization_service.domain.space import Space

_BEST_SHARE = 0.1
_SMALLEST = 3
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Good trials that lie together: how many, their best and median figure, and where.

    pair : the batch's pair they are of
    where : each parameter that the batch varies, with the values they have
    """

    trials: int
    best: float
    median: float
    pair: int
    where: dict[str, str]


def clusters(space: Space, found: Figures) -> list[Cluster]:
    """Return the largest clusters, largest first; of equal size the one of the higher median first."""
    worths = worth(found)
    if not (worths > 0).any():
        return []
    good = np.flatnonzero((worths > 0) & (worths >= np.quantile(worths, 1 - _BEST_SHARE)))
    is_good = np.zeros(len(worths), dtype=np.bool_)
    is_good[good] = True
    beside = links(space, found.points)
    pairs: list[list[int]] = beside[is_good[beside].all(axis=1)].tolist()
    home = list(range(len(worths)))
    for left, right in pairs:
        home[_root(home, left)] = _root(home, right)
    members: dict[int, list[int]] = {}
    for index in good.tolist():
        members.setdefault(_root(home, index), []).append(index)
    large = [_described(space, found, one) for one in members.values() if len(one) >= _SMALLEST]
    return sorted(large, key=lambda one: (-one.trials, -one.median))[:_SHOWN]


def _root(home: list[int], index: int) -> int:
    while home[index] != index:
        home[index] = home[home[index]]
        index = home[index]
    return index


def _described(space: Space, found: Figures, members: Sequence[int]) -> Cluster:
    values = found.values[list(members)]
    coordinates = space.coordinates(found.points[list(members)])
    where: dict[str, str] = {}
    for column, axis in enumerate(space.axes, start=1):
        if len(axis.values) < 2:
            continue
        seen: list[int] = np.unique(coordinates[:, column]).tolist()
        labels = [axis.label(index) for index in seen]
        where[axis.name] = f"{labels[0]} to {labels[-1]}" if axis.ordered and len(labels) > 2 else ", ".join(labels)
    return Cluster(
        trials=len(members),
        best=float(values.max()),
        median=float(np.median(values)),
        pair=int(coordinates[0, 0]),
        where=where,
    )
