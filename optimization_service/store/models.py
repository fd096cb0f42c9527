"""The training service's registry, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.web.client import ServiceClient

_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model as the training service's registry describes it.

    chosen_until : end of the days it was made to predict, on which it was chosen; None when it was made without any
    horizon_bars : bars from a prediction to its outcome
    ic : its out-of-sample rank correlation inside its training
    """

    fingerprint: str
    symbol: str
    trained_until: datetime
    chosen_until: datetime | None
    horizon_bars: int
    ic: float | None


class Models:
    def __init__(self, training: ServiceClient) -> None:
        self._training = training

    def one(self, fingerprint: str) -> Candidate:
        """Return a model. Raises NotFound, and Unavailable when the training service does not answer."""
        return _candidate(self._training.get(f"/models/{fingerprint}"))

    def best(self, count: int) -> list[Candidate]:
        """Return the `count` models of the highest out-of-sample rank correlation; those without one come last.

        A pruned model counts with the figure of the model its line began with: its features were chosen on the
        very folds that its own figure comes from, which flatters it.
        """
        items: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self._training.get("/models", page=page, per_page=_PAGE)
            items.extend(answer["items"])
            if not answer["items"] or len(items) >= answer["total"]:
                break
            page += 1
        by_name = {item["fingerprint"]: item for item in items}
        found = [replace(_candidate(item), ic=_root(item, by_name)["metrics"].get("ic")) for item in items]
        found.sort(key=lambda model: (model.ic is None, -(model.ic or 0.0), model.fingerprint))
        return found[:count]


def _candidate(item: dict[str, Any]) -> Candidate:
    return Candidate(
        fingerprint=item["fingerprint"],
        symbol=item["symbol"],
        trained_until=datetime.fromisoformat(item["train"]["end"]),
        chosen_until=datetime.fromisoformat(item["predict"]["end"]) if item.get("predict") else None,
        horizon_bars=item["target"]["horizon_bars"],
        ic=item["metrics"].get("ic"),
    )


def _root(item: dict[str, Any], by_name: dict[str, dict[str, Any]]) -> dict[str, Any]:
    while (parent := by_name.get(item.get("parent") or "")) is not None:
        item = parent
    return item
