"""A batch: which models on which symbols over which windows, under which settings. Its fingerprint is its name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

from pydantic import Field, JsonValue, ValidationError

from optimization_service.domain.search import Method, Search
from optimization_service.domain.space import Axis, Space, axes_of
from shared.contracts.identifiers import fingerprint
from shared.contracts.messages import (
    PREDICTED,
    Costs,
    Fingerprint,
    Message,
    Metrics,
    Predict,
    Sweep,
    Symbol,
    Window,
)
from shared.errors import InvalidInput

#: bumped when the same definition would lead to other trials
CODE_VERSION = "optimization-2"

#: the thresholds every search begins with, in the target's unit (log return)
THRESHOLDS = (0.0001, 0.0005, 0.0010, 0.0020)

MAX_TRIALS, MAX_GUIDED_TRIALS = 100_000, 5_000
#: settings of one simulation job: few enough that three workers share a batch, enough that reading bars costs little
SWEEP_SETTINGS = 500
#: settings looked at before a batch is taken on
_LOOKED_AT = 2_000


class Pair(Message):
    """One model on one symbol over one window. `horizon_bars`: bars from its predictions to their outcomes."""

    model: Fingerprint
    symbol: Symbol
    window: Window
    horizon_bars: int = 15

    def prediction(self) -> Predict:
        return Predict(model=self.model, symbol=self.symbol, window=self.window)


class Batch(Message):
    """A batch in full: nothing in it depends on when it was asked for."""

    pairs: tuple[Pair, ...] = Field(min_length=1)
    axes: tuple[Axis, ...]
    search: Search = Search()
    costs: Costs = Costs()
    starting_cash: float = Field(default=100_000.0, gt=0)

    @cached_property
    def space(self) -> Space:
        return Space(len(self.pairs), self.axes)

    @property
    def trials(self) -> int:
        """How many trials the batch makes when nothing fails."""
        return self.search.budget(self.space)

    @property
    def fingerprint(self) -> str:
        return fingerprint("batch", code_version=CODE_VERSION, **self.model_dump())

    def sweeps(self, points: Sequence[int]) -> Iterator[tuple[int, list[int], Sweep]]:
        """Yield pair, points and simulation of each job that a round of these points needs, in a fixed order."""
        for pair, some in self.space.by_pair(points, SWEEP_SETTINGS):
            yield pair, some, self._sweep(self.pairs[pair], some)

    def _sweep(self, pair: Pair, points: Sequence[int]) -> Sweep:
        return Sweep(
            model=pair.model,
            symbol=pair.symbol,
            window=pair.window,
            settings=tuple(self.space.setting(point) for point in points),
            costs=self.costs,
            starting_cash=self.starting_cash,
            bot_horizon_bars=pair.horizon_bars,
        )


def usual_axes(*, bot: bool, regimes: Sequence[Mapping[str, Collection[int]]]) -> dict[str, Sequence[JsonValue]]:
    """Return what a search tries when nobody said.

    Thresholds, the outlier filter and the volatility-scaled threshold on and off; the bot on and off, where every
    model can have one; and no regime gate or one of each column and state that the features of every pair have.

    regimes : of each pair, its columns of states
    """
    axes: dict[str, Sequence[JsonValue]] = {
        "threshold": THRESHOLDS,
        "volatility_scaled": (False, True),
        "z_limit": (None, 3.0),
    }
    first: Mapping[str, Collection[int]] = regimes[0] if regimes else {}
    gates: list[JsonValue] = [
        {"regime": name, "regime_states": [state]}
        for name in sorted(first)
        for state in sorted(first[name])
        if all(state in one.get(name, ()) for one in regimes)
    ]
    if gates:
        axes["regime"] = [None, *gates]
    if bot:
        axes["bot_threshold"] = (None, 0.55)
    return axes


def batch_of(
    pairs: Sequence[Pair],
    axes: Mapping[str, Sequence[JsonValue]],
    *,
    search: Search,
    costs: Costs,
    starting_cash: float,
) -> Batch:
    """Return the batch. Raises InvalidInput for no pair, too many trials, or settings that cannot be."""
    unique = sorted({(pair.model, pair.symbol): pair for pair in pairs}.values(), key=lambda p: (p.model, p.symbol))
    if not unique:
        raise InvalidInput("the batch has no model to try: name models, or ask for the top ones after training some")
    batch = Batch(
        pairs=tuple(unique), axes=axes_of(axes), search=_plain(search), costs=costs, starting_cash=starting_cash
    )
    _check_size(batch)
    _check_objective(search.objective)
    _check_settings(batch.space)
    return batch


def _plain(search: Search) -> Search:
    """Return the search without what its method does not read, so that it does not name another batch."""
    kept = {
        Method.EXHAUSTIVE: {"method"},
        Method.RANDOM: {"method", "trials", "seed"},
        Method.GUIDED: {"method", "trials", "seed", "round_size", "objective"},
    }[search.method]
    return Search.model_validate(search.model_dump(include=kept))


def _check_size(batch: Batch) -> None:
    space, method = batch.space, batch.search.method
    most = MAX_GUIDED_TRIALS if method is Method.GUIDED else MAX_TRIALS
    if batch.trials > most:
        how = " or draw some of them with the random method" if method is Method.EXHAUSTIVE else ""
        raise InvalidInput(
            f"{space.pairs} models and symbols x {space.settings} settings: {batch.trials} trials, at most {most} a "
            f"{method} batch; split it{how}"
        )


def _check_objective(objective: str) -> None:
    if objective not in OBJECTIVES:
        raise InvalidInput(f"objective {objective!r} is not a figure to make large: use one of {', '.join(OBJECTIVES)}")


def _check_settings(space: Space) -> None:
    """Raise InvalidInput for a combination that Setting refuses, looking at some all over the space."""
    step = max(1, space.settings // _LOOKED_AT)
    for point in islice(range(0, space.settings, step), _LOOKED_AT):
        try:
            if (signal := space.setting(point).signal) is not PREDICTED:
                raise InvalidInput(f"axes: signal = {signal}: models predict a {PREDICTED}, leave this axis out")
        except ValidationError as error:
            at = dict(zip(space.names[1:], space.coordinates([point])[0][1:].tolist(), strict=True))
            tried = ", ".join(f"{axis.name} = {axis.values[at[axis.name]]!r}" for axis in space.axes)
            why = next(iter(error.errors()))["msg"].removeprefix("Value error, ")
            raise InvalidInput(f"axes: {tried}: {why}") from error


#: what a guided search may make large
OBJECTIVES = tuple(
    name
    for name in ("sharpe", "sortino", "calmar", "sqn", "sqn100", "total_return", "profit_factor", "timing_alpha_t")
    if name in Metrics.model_fields
)
