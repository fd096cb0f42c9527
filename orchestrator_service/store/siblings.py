"""What other services' registries say, over HTTP. A sibling that does not answer raises Unavailable and is named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from orchestrator_service.domain.positions import Trade
from shared.contracts.messages import Metrics
from shared.errors import NotFound
from shared.web.client import ServiceClient


class TrainedModel(BaseModel):
    """What the orchestrator reads of a trained model; the training service says more."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    fingerprint: str
    artefact_sha256: str
    features: list[str]
    importance: dict[str, float]


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep: the metrics of each of its settings, in order."""

    fingerprint: str
    metrics: list[Metrics]


class Siblings:
    """The registries of features, training and simulation."""

    def __init__(self, *, features: str, training: str, simulation: str) -> None:
        self._features = ServiceClient("features", features)
        self._training = ServiceClient("training", training)
        self._simulation = ServiceClient("simulation", simulation)

    def close(self) -> None:
        for client in (self._features, self._training, self._simulation):
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def built_set(self, symbol: str, feature_set: str) -> str:
        """Return the name that `feature_set` of `symbol` is stored under: its present definition, pinned.

        Raises NotFound when it is unknown or was never built for the symbol.
        """
        built = _items(self._features.get("/coverage", symbol=symbol, feature_set=feature_set))
        names = [str(item["feature_set"]) for item in built if item["symbol"] == symbol]
        if not names:
            raise NotFound(
                f"features of set {feature_set!r} are not built for {symbol}: ingest or import its bars, then "
                "POST /features/build on the features service"
            )
        return names[0]

    def model(self, fingerprint: str) -> TrainedModel:
        """Return a trained model. Raises NotFound."""
        return TrainedModel.model_validate(self._training.get(f"/models/{fingerprint}"))

    def sweep(self, fingerprint: str) -> SweepResult:
        """Return a finished sweep. Raises NotFound."""
        answer = self._simulation.get(f"/sweeps/{fingerprint}")
        runs = sorted(answer["runs"], key=lambda run: run["index"])
        return SweepResult(fingerprint, [Metrics.model_validate(run["metrics"]) for run in runs])

    def trades(self, sweep: str, setting: int) -> list[Trade]:
        """Return every trade of one setting of a sweep, in order."""
        answer = self._simulation.get(f"/runs/{sweep}-{setting}/trades")
        return [
            Trade(
                entry=datetime.fromisoformat(trade["entry_ts"]),
                exit=datetime.fromisoformat(trade["exit_ts"]),
                direction=1 if trade["side"] == "long" else -1,
                left_at_close=trade["left_by"] in {"close", "bust"},
            )
            for trade in _items(answer)
        ]


def _items(answer: Any) -> list[Any]:  # noqa: ANN401 - decoded JSON
    return answer["items"] if isinstance(answer, dict) else answer
