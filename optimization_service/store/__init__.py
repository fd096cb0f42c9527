"""The only I/O of the service: `Models` over HTTP, `Series` in the lake, `Registry` in Postgres."""

from optimization_service.store.models import Candidate, Models
from optimization_service.store.registry import Registry, TrialFilter
from optimization_service.store.series import Series

__all__ = ["Candidate", "Models", "Registry", "Series", "TrialFilter"]
