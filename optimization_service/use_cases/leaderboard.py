"""The leaderboard: read what came out of all batches."""

from __future__ import annotations

from optimization_service.domain.luck import Luck, luck_of
from optimization_service.domain.records import Terms, Trial
from optimization_service.store import Registry, TrialFilter


class Leaderboard:
    """Every trial of every batch, each simulated setting once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def page(self, wanted: TrialFilter) -> tuple[list[Trial], int]:
        """Return a page of trials and how many the filters leave."""
        return self._registry.trials(wanted)

    def terms(self, batch: str | None) -> list[Terms]:
        """Return the groups of trials that can be compared with each other, the largest first."""
        return self._registry.terms(batch)

    def luck(self, batch: str | None, terms: str | None = None) -> Luck:
        """Return how many trials were made, the best of them, and what luck alone would have shown.

        Of a batch; else of all trials, or those of the same terms.
        """
        spread = self._registry.spread(batch, terms)
        return luck_of(spread.trials, spread.best_sharpe, spread.sharpe_sd)
