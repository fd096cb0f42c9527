"""What a worker's parent and its computing child say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.jobs.handling import Failure
from shared.jobs.model import Outcome
from shared.settings import ServiceSettings


@dataclass(frozen=True)
class Setup:
    """The first message to the child."""

    settings: ServiceSettings
    loaders: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    """A job to compute."""

    job_id: int
    kind: str
    payload: Mapping[str, Any]
    priority: float
    attempt: int
    token: UUID


@dataclass(frozen=True)
class Advanced:
    job_id: int
    fraction: float
    note: str


@dataclass(frozen=True)
class Ended:
    job_id: int
    ending: Outcome | Failure
