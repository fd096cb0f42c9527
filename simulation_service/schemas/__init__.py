"""What the service is asked, and what it answers."""

from simulation_service.schemas.forms import SimulateForm
from simulation_service.schemas.runs import RunDetailOut, RunOut, run_filter
from simulation_service.schemas.stress import StressAsked
from simulation_service.schemas.sweeps import Batch, BatchAccepted, Simulation, SweepOut, SweepSummary

__all__ = [
    "Batch",
    "BatchAccepted",
    "RunDetailOut",
    "RunOut",
    "SimulateForm",
    "Simulation",
    "StressAsked",
    "SweepOut",
    "SweepSummary",
    "run_filter",
]
