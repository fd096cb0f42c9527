"""Filters, order and columns of the leaderboard, as an address says them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BaseModel, ValidationError

from optimization_service.domain.columns import COLUMNS, METRIC_COLUMNS, SOURCES
from optimization_service.domain.records import Terms, Trial
from optimization_service.store import TrialFilter
from shared.contracts.messages import Setting
from shared.errors import InvalidInput
from shared.web.pagination import Page, sort_of

#: what an address says in place of the key of some terms: all together
ALL_TERMS = "all"
#: filters and order that are one text each
_PLAIN = ("batch", "symbol", "model", "terms", "sort")
#: figures that can have bounds
_BOUNDED = (*METRIC_COLUMNS, "plateau", "neighbours")

#: a leaderboard row: the run's id in the simulation service, its sweep, and every column of `domain.columns`
Row = dict[str, Any]


class LeaderboardOut(Page[Row]):
    """A page of rows; `groups` are the trials that can be compared, by days, costs and cash, the largest first.

    With more than one group and no `terms` asked for, the rows rank trials together that were not tried alike.
    """

    groups: list[Terms]


class HeatQuery(BaseModel):
    """Which heatmap a batch's page shows: parameters by name, and the median or the best of each cell."""

    heat_rows: str | None = None
    heat_columns: str | None = None
    heat: Literal["median", "best"] = "median"


class LeaderboardQuery(BaseModel):
    """What of the leaderboard is shown.

    `?sort=-sharpe` is highest first, undefined figures come last. A field of Setting filters by its value, written as
    JSON (`side=long_flat`, `z_limit=null`); `min_<figure>` and `max_<figure>` bound a figure. `show` names columns.
    """

    batch: str | None = None
    symbol: str | None = None
    model: str | None = None
    #: key of the trials that can be compared; None, or "all", ranks different windows and costs together
    terms: str | None = None
    sort: str = "-sharpe"
    show: tuple[str, ...] = ()
    wanted: dict[str, Any] = {}
    bounds: dict[str, tuple[float | None, float | None]] = {}

    def filter(self, limit: int, offset: int) -> TrialFilter:
        column, descending = sort_of(self.sort, tuple(SOURCES))
        return TrialFilter(
            batch=self.batch,
            symbol=self.symbol,
            model=self.model,
            terms=None if self.terms == ALL_TERMS else self.terms,
            wanted=self.wanted,
            bounds=self.bounds,
            sort=column,
            descending=descending,
            limit=limit,
            offset=offset,
        )

    def address(self) -> str:
        """Return the same as an address' query, for the CSV of what a page shows."""
        said: list[tuple[str, str]] = [(name, value) for name in _PLAIN if (value := getattr(self, name))]
        said += [("show", name) for name in self.show]
        said += [(name, _text(value)) for name, value in self.wanted.items()]
        for name, (low, high) in self.bounds.items():
            said += [(f"{end}_{name}", f"{one!r}") for end, one in (("min", low), ("max", high)) if one is not None]
        return urlencode(said)


#: what a page's address may say besides
_OTHERS = {"page", "per_page", *HeatQuery.model_fields}


def leaderboard_asked(request: Request) -> LeaderboardQuery:
    """Read the query. Raises InvalidInput for a name that is no column, or a bound that is no number."""
    params = request.query_params
    plain = {name: params[name].strip() for name in _PLAIN if params.get(name)}
    if "symbol" in plain:
        plain["symbol"] = plain["symbol"].upper()
    show = [name for value in params.getlist("show") for name in value.replace(",", " ").split()]
    for name in show:
        if name not in COLUMNS:
            raise InvalidInput(f"show: there is no column {name!r}; choose from {', '.join(COLUMNS)}")
    wanted: dict[str, Any] = {}
    bounds: dict[str, tuple[float | None, float | None]] = {}
    for name, value in params.items():
        if name in {*_PLAIN, "show"} | _OTHERS or not value.strip():
            continue
        if name in Setting.model_fields:
            wanted[name] = _value(name, value)
        elif (figure := _bounded(name)) is not None:
            low, high = bounds.get(figure, (None, None))
            number = _number(name, value)
            bounds[figure] = (number, high) if name.startswith("min_") else (low, number)
        else:
            raise InvalidInput(
                f"there is no filter {name!r}: use a setting's field ({', '.join(Setting.model_fields)}), or"
                f" min_ and max_ before a figure ({', '.join(_BOUNDED)})"
            )
    return LeaderboardQuery(**plain, show=tuple(dict.fromkeys(show)), wanted=wanted, bounds=bounds)


def row_of(trial: Trial) -> Row:
    """Return a trial as a row with each parameter and figure in its own column."""
    return {"sweep": trial.sweep, "index": trial.index} | trial.flat()


def _bounded(name: str) -> str | None:
    for end in ("min_", "max_"):
        if name.startswith(end) and name.removeprefix(end) in _BOUNDED:
            return name.removeprefix(end)
    return None


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise InvalidInput(f"{name} is {value!r}: give a number") from None
    if not math.isfinite(number):
        raise InvalidInput(f"{name} is {value!r}: give a finite number")
    return number


def _value(name: str, value: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value as settings are stored, so that 0.001 and 1e-3 are the same."""
    annotation = Setting.model_fields[name].annotation
    read: Any = value
    if annotation is not str and str not in get_args(annotation):
        try:
            read = json.loads(value)
        except ValueError:
            read = value
    elif value == "null":
        read = None
    given: Mapping[str, Any] = {"threshold": 0.5, name: read}
    try:
        return Setting.model_validate(given).model_dump(mode="json")[name]
    except ValidationError as error:
        wrong = next(iter(error.errors()))
        if not wrong["loc"]:
            # it goes only with other fields, which a filter does not know
            return read
        raise InvalidInput(f"{name} is {value!r}: {wrong['msg']}") from error


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else json.dumps(value)
