"""Settings of the training service."""

from __future__ import annotations

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    name: str = "training"
