"""The job handlers."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator_service.use_cases import Confirmation, Evolution
from shared.contracts.kinds import JobKind
from shared.jobs.context import Handler


def by_kind(evolution: Evolution, confirmation: Confirmation) -> Mapping[JobKind, Handler]:
    """Return the handler of each of the orchestrator's kinds."""
    return {
        JobKind.BREED: evolution.breed,
        JobKind.TRIAL: evolution.trial,
        JobKind.JUDGE: evolution.judge,
        JobKind.VERDICT: confirmation.verdict,
    }
