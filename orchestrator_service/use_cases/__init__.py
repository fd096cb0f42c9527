"""One class per noun: `Runs` what users ask for, `Evolution` the generations, `Confirmation` the one look."""

from orchestrator_service.use_cases.confirmation import Confirmation
from orchestrator_service.use_cases.evolution import Evolution
from orchestrator_service.use_cases.runs import Runs, RunView

__all__ = ["Confirmation", "Evolution", "RunView", "Runs"]
