"""What the registry holds: sweeps, their runs, and the series that users brought; as stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.messages import Costs, Metrics, Setting, Sweep, Window
from shared.errors import NotFound

#: where a sweep's predictions come from: the frozen model after its training, its walk-forward folds, or a user
Evidence = Literal["frozen", "folds", "own"]


class Record(BaseModel):
    """A row, checked when it is read."""

    model_config = ConfigDict(frozen=True)


class SweepRecord(Record):
    """A stored sweep without its runs. `settings` is how many it has."""

    fingerprint: str
    model: str
    symbol: str
    window_start: datetime
    window_end: datetime
    #: what was asked, a `contracts.messages.Sweep` without its settings
    request: dict[str, Any]
    #: what its settings read beside bars and predictions
    reads: dict[str, Any]
    #: how far its signals went; empty for what older code stored
    signals: dict[str, tuple[float | None, ...]]
    evidence: Evidence
    data_version: str
    code_version: str
    bars: int
    sessions: int
    #: None: simulated while the caller waited
    job_id: int | None
    created_at: datetime
    settings: int
    best_sharpe: float | None

    @property
    def window(self) -> Window:
        return Window(start=self.window_start, end=self.window_end)

    @property
    def costs(self) -> Costs:
        return Costs.model_validate(self.request["costs"])

    @property
    def starting_cash(self) -> float:
        return float(self.request["starting_cash"])

    @property
    def baseline_sweep(self) -> str | None:
        return self.request["baseline_sweep"]

    @property
    def baseline_settings(self) -> list[int]:
        return list(self.request["baseline_settings"])

    def asked(self, *settings: Setting) -> Sweep:
        """Return what was asked, for these settings only; the baseline, which goes by setting, is left to the caller.

        Raises pydantic's ValidationError when the request is of a version that cannot be read any more.
        """
        return Sweep.model_validate(
            {**self.request, "settings": settings, "baseline_sweep": None, "baseline_settings": ()}
        )


class Run(Record):
    """A stored run: one setting of a sweep and what it earned."""

    id: str
    sweep: str
    index: int
    model: str
    symbol: str
    evidence: Evidence
    window_start: datetime
    window_end: datetime
    created_at: datetime
    setting: Setting
    metrics: Metrics
    costs: Costs
    starting_cash: float


class SignalsRecord(Record):
    """A series that a user brought: what it says and over which bars. Times are starts of bars."""

    fingerprint: str
    symbol: str
    kind: Literal["prediction", "position"]
    name: str
    rows: int
    first_ts: datetime
    last_ts: datetime
    created_at: datetime


class StressedVariant(Record):
    """One harder world: its name, the run that was simulated in it, what that earned."""

    name: str
    run: str
    metrics: Metrics


class PlaceboReport(Record):
    """The real trades among `draws` placebos of them: domain/placebo.py says how these are drawn.

    `real` and `quantiles` (0 %, 1 % ... 100 % of the draws) are total returns; `percentile` is 0 to 100.
    """

    draws: int
    seed: int
    trades: int
    real: float
    percentile: float
    p_value: float
    quantiles: list[float]


class StressReport(Record):
    """A run in harder worlds, itself first, and at random times; `placebo` is None when it never traded."""

    run: str
    variants: list[StressedVariant]
    placebo: PlaceboReport | None


class StressRecord(Record):
    """A stored report."""

    report: StressReport
    draws: int
    seed: int
    created_at: datetime


def split_run_id(run_id: str) -> tuple[str, int]:
    """Return (sweep, index) of a run's id. Raises NotFound for what cannot be one."""
    sweep, dash, index = run_id.rpartition("-")
    # the largest index is 999: what is longer is no index, and int4 would overflow
    if not dash or not index.isascii() or not index.isdigit() or len(index) > 6:
        raise NotFound(f"there is no run {run_id!r}: a run is named <sweep fingerprint>-<index>")
    return sweep, int(index)
