"""What the service does: make blocks (`builds`), and hand out and describe what is there (`features`)."""

from feature_service.use_cases.builds import Builds
from feature_service.use_cases.features import Features

__all__ = ["Builds", "Features"]
