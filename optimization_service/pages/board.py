"""How the leaderboard's columns are shown: which ones, under which names, in which form."""

from __future__ import annotations

from dataclasses import dataclass

from optimization_service.domain.columns import COLUMNS, SETTING_COLUMNS, SOURCES
from optimization_service.domain.space import Space
from optimization_service.schemas import LeaderboardQuery

_FRACTIONS = {
    "total_return", "buy_hold_return", "annual_return", "excess_return", "max_drawdown", "win_rate", "hit_rate",
    "exposure", "expectancy", "cost_drag", "plateau",
}  # fmt: skip
_SIGNED_FRACTIONS = {"total_return", "annual_return", "excess_return", "expectancy"}
_SIGNED = {"sharpe", "sortino", "calmar", "sqn", "sqn100", "timing_alpha_t", "average_trade"}
_COUNTS = {"number", "trades", "neighbours", "drawdown_days", "longest_losing_run"}

_FORMS = {
    **dict.fromkeys(("symbol", "model", "flag", "terms"), "text"),
    **dict.fromkeys(("start", "end"), "day"),
    "costs": "costs",
}

_LABELS = {
    "number": "trial",
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "calmar": "Calmar",
    "sqn": "SQN",
    "sqn100": "SQN100",
    "profit_factor": "PF",
    "total_return": "return",
    "buy_hold_return": "buy & hold",
    "max_drawdown": "drawdown",
    "win_rate": "won",
    "hit_rate": "hit-rate",
    "timing_alpha_t": "alpha t",
    "start": "from",
    "end": "to",
}
_TITLES = {
    "number": "in which order it was chosen",
    "sharpe": "annualised, daily, flat days included",
    "profit_factor": "profit factor, after costs",
    "hit_rate": "share of bars in the market whose next bar went the position's way",
    "timing_alpha_t": "t-statistic of the daily timing alpha",
    "plateau": "median Sharpe of its neighbours in the grid over its own: 100 % on a plateau, 0 % on a lone peak",
    "neighbours": "trials one step away along one parameter of numbers",
    "flag": "lucky?: fewer than 10 trades; typical: 20 to 50; churns: more, and wrong on half of the bars or more; "
    "no costs: nothing was paid; optimistic: filled at the signal bar's own close",
    "start": "begin of the window that was traded, a day of UTC",
    "end": "end of the window that was traded, a day of UTC",
    "costs": "what every fill paid",
    "terms": "the same key: the same days, costs and starting cash, so figures that can be compared",
    "hold_bars": "bars; 0: while the signal lasts",
    "delay_bars": "bars between signal and fill",
}
#: what every list begins with, so that a narrow screen shows it, and ends with; between them what differs
_FIRST = ("symbol", "sharpe", "total_return", "max_drawdown", "trades", "flag", "plateau")
_LAST = (
    "model", "buy_hold_return", "sqn", "profit_factor", "win_rate", "hit_rate", "timing_alpha_t", "start", "end",
    "costs",
)  # fmt: skip
_USUAL_SETTINGS = ("threshold", "side", "hold_bars", "delay_bars")


@dataclass(frozen=True)
class BoardColumn:
    """A column of the table; `form` says how a cell reads."""

    name: str
    label: str
    form: str

    @property
    def head(self) -> dict[str, str | bool | None]:
        """What the shared table takes."""
        return {
            "label": self.label,
            "text": self.form in {"text", "day", "costs"},
            "key": self.name if self.name in SOURCES else None,
            "title": _TITLES.get(self.name, ""),
        }


def board_columns(asked: LeaderboardQuery, space: Space | None) -> list[BoardColumn]:
    """Return the columns to show: those asked for, else the usual ones with the parameters that the batch varies."""
    if asked.show:
        return [_column(name) for name in asked.show]
    varied = _USUAL_SETTINGS
    if space is not None:
        axes = [axis for axis in space.axes if len(axis.values) > 1]
        set_by_them = {name for axis in axes for index in range(len(axis.values)) for name in axis.fields(index)}
        varied = tuple(name for name in SETTING_COLUMNS if name in set_by_them)
    return [_column(name) for name in (*_FIRST, *varied, *_LAST)]


def all_columns() -> list[BoardColumn]:
    """Return every column there is, for the chooser."""
    return [_column(name) for name in COLUMNS]


def _column(name: str) -> BoardColumn:
    return BoardColumn(name, _LABELS.get(name, name.replace("_", " ")), _form(name))


def _form(name: str) -> str:
    if name in _SIGNED_FRACTIONS:
        return "signed_fraction"
    if name in _FRACTIONS:
        return "fraction"
    if name in _SIGNED:
        return "signed"
    if name in _COUNTS:
        return "count"
    if name in SETTING_COLUMNS:
        return "parameter"
    return _FORMS.get(name, "number")
