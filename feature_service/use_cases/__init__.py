"""What the service does: make blocks, hand out and describe what is there, look for leaks."""

from feature_service.use_cases.builds import Builds
from feature_service.use_cases.features import Features
from feature_service.use_cases.gauges import Gauges
from feature_service.use_cases.leaks import Leaks
from feature_service.use_cases.lineage import Lineage
from feature_service.use_cases.statistics import Statistics
from feature_service.use_cases.together import Together

__all__ = ["Builds", "Features", "Gauges", "Leaks", "Lineage", "Statistics", "Together"]
