"""Studies: what all trials of one batch say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimization_service.domain.batch import Batch
from optimization_service.domain.clusters import Cluster, clusters
from optimization_service.domain.figures import (
    MAX_HEATMAP,
    Figures,
    Floats,
    Heatmap,
    best_so_far,
    heatmap,
    importance,
    usual_axes,
)
from optimization_service.domain.halves import LEAST_SESSIONS, Halves, halves_of
from optimization_service.domain.records import Score
from optimization_service.store import Registry, Series
from shared.errors import InvalidInput

#: trials whose daily returns are read for one page
MOST_LEDGERS = 10_000


@dataclass(frozen=True, kw_only=True)
class Study:
    """A batch's trials so far: one figure of each, the best up to each, and which parameters decide."""

    figures: Figures
    best: Floats
    importance: list[tuple[str, float]]
    clusters: list[Cluster]
    heatmap: Heatmap | None


class Studies:
    def __init__(self, registry: Registry, series: Series) -> None:
        self._registry = registry
        self._series = series

    def study(self, name: str, batch: Batch, rows: str | None, columns: str | None, how: str) -> Study:
        """Return what the batch's Sharpe ratios say; the heatmap shows `rows` by `columns`, or the usual two."""
        found = self._figures(name)
        ranked = importance(batch.space, found)
        axes = usual_axes(batch.space, ranked, rows, columns)
        return Study(
            figures=found,
            best=best_so_far(found.values),
            importance=ranked,
            clusters=clusters(batch.space, found),
            heatmap=None if axes is None else _heatmap(batch, found, *axes, how),
        )

    def heatmap(self, name: str, batch: Batch, rows: str | None, columns: str | None, how: str) -> Heatmap:
        """Return the Sharpe ratio by two parameters. Raises InvalidInput for ones that cannot be shown."""
        found = self._figures(name)
        axes = usual_axes(batch.space, importance(batch.space, found), rows, columns)
        if axes is None:
            raise InvalidInput(
                f"no two parameters of this batch have few enough values: at most {MAX_HEATMAP} are shown"
            )
        return _heatmap(batch, found, *axes, how)

    def halves(self, name: str) -> Halves | None:
        """Return what the halves of the trials' days say; None for too many trials to read at once, or too few days."""
        runs = self._registry.ranked_runs(name, MOST_LEDGERS + 1)
        if len(runs) > MOST_LEDGERS:
            return None
        returns = self._series.daily_returns(runs)
        if not returns or max(len(daily) for daily in returns) < LEAST_SESSIONS:
            return None
        return halves_of(returns, self._registry.spread(name).trials)

    def _figures(self, name: str) -> Figures:
        return figures_of(self._registry.scores(name, "sharpe"))


def figures_of(scores: Sequence[Score]) -> Figures:
    """Return the same as arrays."""
    return Figures(
        points=np.array([one.point for one in scores], dtype=np.int64),
        values=np.array([np.nan if one.value is None else one.value for one in scores], dtype=np.float64),
        trades=np.array([one.trades for one in scores], dtype=np.int64),
    )


def _heatmap(batch: Batch, found: Figures, rows: str, columns: str, how: str) -> Heatmap:
    names = [f"{pair.symbol} {pair.model[:6]}" for pair in batch.pairs]
    return heatmap(batch.space, found, rows, columns, names, median=how == "median")
