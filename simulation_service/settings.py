"""Settings of the simulation service."""

from __future__ import annotations

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    name: str = "simulation"
