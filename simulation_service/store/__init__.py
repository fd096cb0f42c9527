"""Everything the simulation service reads and writes, by noun."""

from simulation_service.store.registry import Registry, RunFilter
from simulation_service.store.series import Predicted, Series, no_predictions

__all__ = ["Predicted", "Registry", "RunFilter", "Series", "no_predictions"]
