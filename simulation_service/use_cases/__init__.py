"""What the service does, one class per noun."""

from simulation_service.use_cases.compare import Compare
from simulation_service.use_cases.markets import Loaded, Markets
from simulation_service.use_cases.runs import RunDetail, Runs
from simulation_service.use_cases.signals import SignalSeries
from simulation_service.use_cases.stress import Stress
from simulation_service.use_cases.sweeps import Sweeps, SweepView

__all__ = ["Compare", "Loaded", "Markets", "RunDetail", "Runs", "SignalSeries", "Stress", "SweepView", "Sweeps"]
