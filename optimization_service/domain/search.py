"""Which points of the space are tried next: all of them, a random sample, or those that Optuna's TPE asks for.

A search goes in rounds. What a round tries follows from the search, its seed and the trials told so far, in the order
of their numbers: never from who computed them or when. So one worker and many find the same, and a search that was
interrupted goes on where its rows end.

* exhaustive: every point, in order.
* random: points drawn without replacement.
* guided: a tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011;
  Optuna's `TPESampler`, multivariate, with constant liar) that is told all rows anew and asked for `round_size` points
  at once. Ordered axes are given to it as whole numbers, others as categories. A point is tried once: when it asks
  for one again, another is drawn. A trial without a value, or of so few trades that it says nothing, counts as the
  worst seen, so that the search does not run after luck.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import numpy as np
from pydantic import Field

from optimization_service.domain.luck import FEW_TRADES
from optimization_service.domain.space import PAIR, Space
from shared.contracts.messages import Message

#: trials of a round of a search that is not guided: few enough for one transaction, enough for many workers
WIDE_ROUND = 5_000
#: how often the sampler is asked again for a point that was not tried yet
_ASKS = 20


class Method(StrEnum):
    EXHAUSTIVE = "exhaustive"
    RANDOM = "random"
    GUIDED = "guided"


class Search(Message):
    """How points are chosen. `trials`: at most so many, ignored by an exhaustive search."""

    method: Method = Method.EXHAUSTIVE
    trials: int = Field(default=500, ge=1, le=100_000)
    seed: int = Field(default=7, ge=0, lt=2**31)
    #: guided: points asked for before any of them is told; the same on one worker and on many
    round_size: int = Field(default=50, ge=1, le=1_000)
    #: guided: the figure to make large
    objective: str = "sharpe"

    def budget(self, space: Space) -> int:
        """Return how many trials the search makes in all."""
        return space.size if self.method is Method.EXHAUSTIVE else min(self.trials, space.size)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A trial: its number, its point, its value (None where it is undefined or the simulation failed), its trades."""

    number: int
    point: int
    value: float | None
    trades: int


def next_trials(search: Search, space: Space, told: Sequence[Told], broken: Collection[int]) -> list[tuple[int, int]]:
    """Return number and point of each trial of the next round, none when the search is over.

    told : all trials so far, in the order of their numbers; failed ones too
    broken : pairs that cannot be simulated; a guided search does not ask for them again
    """
    left = search.budget(space) - len(told)
    if left <= 0:
        return []
    if search.method is Method.GUIDED:
        points = _asked(search, space, told, broken, min(left, search.round_size))
        return list(enumerate(points, start=told[-1].number + 1 if told else 0))
    planned: Sequence[int] = range(space.size)
    if search.method is Method.RANDOM:
        planned = random.Random(search.seed).sample(planned, search.budget(space))
    done = {one.point for one in told}
    return list(islice((one for one in enumerate(planned) if one[1] not in done), WIDE_ROUND))


def is_over(search: Search, space: Space, told: int, this_round: int) -> bool:
    """Return whether nothing is left after `told` trials in all, `this_round` of them in the last round."""
    return told >= search.budget(space) or this_round == 0


def _asked(search: Search, space: Space, told: Sequence[Told], broken: Collection[int], count: int) -> list[int]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    taken = {one.point for one in told}
    seed = int(np.random.SeedSequence([search.seed, len(told)]).generate_state(1)[0])
    chance = random.Random(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(search.round_size, 50), multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = _distributions(space)
    study.add_trials(_rows(space, told, distributions))
    points: list[int] = []
    for _ in range(count):
        found = _fresh(study, space, distributions, taken, broken)
        point = found if found is not None else _untried(space, taken, broken, chance)
        if point is None:
            break
        taken.add(point)
        points.append(point)
    return points


def _distributions(space: Space) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    found: dict[str, Any] = {PAIR: CategoricalDistribution(range(space.pairs))}
    for axis in space.axes:
        last = len(axis.values) - 1
        found[axis.name] = IntDistribution(0, last) if axis.ordered else CategoricalDistribution(range(last + 1))
    return found


def _rows(space: Space, told: Sequence[Told], distributions: dict[str, Any]) -> list[Any]:
    from optuna.trial import create_trial

    known = [one.value for one in told if _counts(one) and one.value is not None]
    worst = min(known, default=0.0)
    coordinates = space.coordinates([one.point for one in told]).tolist()
    return [
        create_trial(
            params=dict(zip(space.names, at, strict=True)),
            distributions=distributions,
            value=one.value if _counts(one) and one.value is not None else worst,
        )
        for one, at in zip(told, coordinates, strict=True)
    ]


def _counts(one: Told) -> bool:
    return one.value is not None and one.trades >= FEW_TRADES


def _fresh(
    study: Any,  # noqa: ANN401 - optuna's
    space: Space,
    distributions: dict[str, Any],
    taken: set[int],
    broken: Collection[int],
) -> int | None:
    """Ask until a point comes that was not tried; None when none does."""
    from optuna.trial import TrialState

    for _ in range(_ASKS):
        trial = study.ask(distributions)
        point = space.point([int(trial.params[name]) for name in space.names])
        if point not in taken and space.pair_of(point) not in broken:
            return point
        study.tell(trial, state=TrialState.FAIL)
    return None


def _untried(space: Space, taken: set[int], broken: Collection[int], chance: random.Random) -> int | None:
    """Draw a point that was not tried, None when there is none left."""
    pairs = [pair for pair in range(space.pairs) if pair not in broken]
    if not pairs:
        return None
    for _ in range(_ASKS):
        point = chance.choice(pairs) * space.settings + chance.randrange(space.settings)
        if point not in taken:
            return point
    # nearly all is tried: look at what is left, in order
    for pair in pairs:
        first = pair * space.settings
        for point in range(first, first + space.settings):
            if point not in taken:
                return point
    return None
