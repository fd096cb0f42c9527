"""The tear sheet: a run on one page that needs nothing else, to be printed or sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from shared.web import charts
from shared.web.formats import percent
from simulation_service.domain.records import StressReport
from simulation_service.use_cases import RunDetail
from simulation_service.views.tables import hold_text, month_grid, regime_rows

_WIDE, _LOW = (920.0, 260.0), (920.0, 130.0)
_DAY_S = 86_400
#: trades listed, those that won or lost most
_TRADES = 20


def tearsheet(
    detail: RunDetail, months: pl.DataFrame, regimes: pl.DataFrame, stress: StressReport | None
) -> dict[str, Any]:
    """Return everything the tear sheet's template shows."""
    daily = detail.equity.group_by_dynamic("ts", every="1d").agg(
        pl.col("equity", "buy_hold", "hit_rate_100").last(), pl.col("drawdown").min()
    )
    # the session's day, so that charts and monthly tables name the same one
    days = (daily["ts"].dt.epoch("s") / _DAY_S).floor().to_list()
    strongest = detail.trades.sort(pl.col("pnl").abs(), descending=True).head(_TRADES).sort("entry_ts")

    def column(name: str) -> list[float | None]:
        return daily[name].to_list()

    def over_time(*layers: charts.Layer, y_label: str, size: tuple[float, float], **more: Any) -> charts.Plot:  # noqa: ANN401
        return charts.plot(layers, x_label="", y_label=y_label, size=size, x_format=_day, **more)

    return {
        "run": detail.run,
        "sweep": detail.sweep,
        "hold": hold_text(detail.run.setting.hold_bars),
        "equity": over_time(
            charts.Line(xs=days, ys=column("equity"), label="strategy"),
            charts.Line(xs=days, ys=column("buy_hold"), label="buy & hold", tone="bench"),
            y_label="account",
            size=_WIDE,
        ),
        "drawdown": over_time(
            charts.Line(xs=days, ys=column("drawdown"), label="drawdown", tone="down"),
            y_label="drawdown",
            size=_LOW,
            y_format=lambda value: percent(value, 1),
        ),
        "hits": over_time(
            charts.Line(xs=days, ys=column("hit_rate_100"), label="hit-rate of 100 bars", tone="hit"),
            y_label="hit-rate",
            size=_LOW,
            y_format=lambda value: percent(value, 0),
        ),
        "months": month_grid(months),
        "regimes": regime_rows(regimes),
        "stress": stress,
        "trades": strongest.to_dicts(),
        "all_trades": detail.trades.height,
    }


def _day(number: float) -> str:
    return f"{datetime.fromtimestamp(number * _DAY_S, UTC):%Y-%m-%d}"
