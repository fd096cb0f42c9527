"""Settings of the optimization service."""

from __future__ import annotations

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    name: str = "optimization"
