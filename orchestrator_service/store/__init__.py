"""The only I/O of the service: its tables, its siblings' registries over HTTP, and daily series in the lake."""

from orchestrator_service.store.registry import Registry
from orchestrator_service.store.series import Series
from orchestrator_service.store.siblings import Siblings, TrainedModel

__all__ = ["Registry", "Series", "Siblings", "TrainedModel"]
