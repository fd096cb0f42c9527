"""What the registry holds of a sweep and of a run, as stored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from shared.contracts.messages import Costs, Fill, Metrics, Setting, Window
from shared.errors import NotFound


@dataclass(frozen=True, kw_only=True)
class SweepRecord:
    """A stored sweep; `evidence` says which predictions it used: 'frozen' or 'folds'."""

    fingerprint: str
    model: str
    symbol: str
    window_start: datetime
    window_end: datetime
    starting_cash: float
    fee_per_fill: float
    fee_per_share: float
    half_spread_bps: float
    baseline_sweep: str | None
    baseline_settings: list[int]
    evidence: str
    data_version: str
    code_version: str
    bars: int
    sessions: int
    job_id: int
    created_at: datetime
    settings: int
    best_sharpe: float | None = None

    @property
    def window(self) -> Window:
        return Window(start=self.window_start, end=self.window_end)

    @property
    def costs(self) -> Costs:
        return Costs(
            fee_per_fill=self.fee_per_fill,
            fee_per_share=self.fee_per_share,
            half_spread_bps=self.half_spread_bps,
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """A stored run: one setting of a sweep and what it earned."""

    id: str
    sweep: str
    index: int
    model: str
    symbol: str
    evidence: str
    window_start: datetime
    window_end: datetime
    created_at: datetime
    threshold: float
    side: str
    hold_bars: int
    delay_bars: int
    fill: Fill
    flat_at_close: bool
    total_return: float
    buy_hold_return: float
    sharpe: float | None
    max_drawdown: float
    sqn: float | None
    sqn100: float | None
    profit_factor: float | None
    trades: int
    win_rate: float | None
    hit_rate: float | None
    exposure: float
    costs_paid: float
    final_equity: float
    timing_alpha_t: float | None

    @property
    def setting(self) -> Setting:
        return Setting(**self._only(Setting))

    @property
    def metrics(self) -> Metrics:
        return Metrics(**self._only(Metrics))

    def _only(self, message: type[Setting] | type[Metrics]) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name in message.model_fields}


def split_run_id(run_id: str) -> tuple[str, int]:
    """Return (sweep, index) of a run's id. Raises NotFound for what cannot be one."""
    sweep, dash, index = run_id.rpartition("-")
    # the largest index is 999: what is longer is no index, and int4 would overflow
    if not dash or not index.isascii() or not index.isdigit() or len(index) > 6:
        raise NotFound(f"there is no run {run_id!r}: a run is named <sweep fingerprint>-<index>")
    return sweep, int(index)
