"""The finite space that a batch searches: pairs of model and symbol x every combination of the axes' values.

A point is a number, 0 <= point < size: the mixed-radix number of its coordinates, the pair first. So a batch of a
million combinations is as small as its axes, any method names its trials by points, and a point is tried once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue, ValidationError, field_validator

from shared.contracts.identifiers import canonical_json
from shared.contracts.messages import Message, Setting
from shared.errors import InvalidInput

Points = npt.NDArray[np.int64]

#: points are counted in 64 bits
MAX_SIZE = 2**62
MAX_VALUES = 1_000

#: name of the coordinate that says which model and symbol
PAIR = "pair"


class Axis(Message):
    """One parameter and the values to try, each once.

    A plain value is one of the Setting's field of the axis' name. A value may also be an object of several fields,
    for those that go together: `{"regime": "trend", "regime_states": [1]}`.

    `ordered` axes hold nothing but numbers, ascending: only along them is one value next to another. A value that
    is no number (None: switched off, a side, a regime) makes the axis unordered.
    """

    name: str
    values: tuple[JsonValue, ...]

    @field_validator("values", mode="after")
    @classmethod
    def _each_once(cls, values: tuple[JsonValue, ...]) -> tuple[JsonValue, ...]:
        unique = list({canonical_json(value): value for value in values}.values())
        numbers = [value for value in unique if isinstance(value, int | float) and not isinstance(value, bool)]
        return tuple(sorted(numbers)) if len(numbers) == len(unique) else tuple(unique)

    @property
    def ordered(self) -> bool:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    def fields(self, index: int) -> dict[str, JsonValue]:
        """Return the fields of Setting that the value at `index` sets."""
        value = self.values[index]
        return value if isinstance(value, dict) else {self.name: value}

    def label(self, index: int) -> str:
        """Return the value at `index` as people read it."""
        value = self.values[index]
        words = [_word(one) for one in value.values()] if isinstance(value, dict) else [_word(value)]
        return " ".join(words) or "off"


def _word(value: JsonValue) -> str:
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return "+".join(_word(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Space:
    """Pairs x axes; `axes` in the order of Setting's fields."""

    pairs: int
    axes: tuple[Axis, ...]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return (self.pairs, *(len(axis.values) for axis in self.axes))

    @cached_property
    def size(self) -> int:
        """How many points there are. Raises InvalidInput for more than can be numbered."""
        size = math.prod(self.shape)
        if size > MAX_SIZE:
            raise InvalidInput(f"the axes have {size:.3g} combinations, more than can be numbered: name fewer values")
        return size

    @property
    def settings(self) -> int:
        """Points of each pair."""
        return self.size // max(self.pairs, 1)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return (PAIR, *(axis.name for axis in self.axes))

    def coordinates(self, points: Sequence[int] | Points) -> npt.NDArray[np.int64]:
        """Return the coordinates as value indices, shape (n, 1 + axes)."""
        wanted = np.asarray(points, dtype=np.int64)
        if self.size == 0 or len(wanted) == 0:
            return np.zeros((len(wanted), len(self.shape)), dtype=np.int64)
        return np.stack(np.unravel_index(wanted, self.shape), axis=1).astype(np.int64)

    def point(self, coordinates: Sequence[int]) -> int:
        """Return the point at the coordinates."""
        return int(np.ravel_multi_index(tuple(coordinates), self.shape))

    def pair_of(self, point: int) -> int:
        return point // self.settings

    def setting(self, point: int) -> Setting:
        """Return the setting at a point."""
        at = self.coordinates([point])[0][1:]
        given: dict[str, Any] = {}
        for axis, index in zip(self.axes, at, strict=True):
            given |= axis.fields(int(index))
        return Setting.model_validate(given)

    def by_pair(self, points: Sequence[int], at_most: int) -> Iterator[tuple[int, list[int]]]:
        """Yield (pair, its points in the given order), at most so many at once, pairs ascending."""
        found: dict[int, list[int]] = {}
        for point in points:
            found.setdefault(self.pair_of(point), []).append(point)
        for pair in sorted(found):
            for first in range(0, len(found[pair]), at_most):
                yield pair, found[pair][first : first + at_most]


def axes_of(wanted: Mapping[str, Sequence[JsonValue]]) -> tuple[Axis, ...]:
    """Return axes in the order of Setting's fields; each value checked by Setting.

    Raises InvalidInput for a name that is no field of Setting, a field set by two axes, too many or no values, or a
    value that Setting refuses.
    """
    fields = Setting.model_fields
    for name, values in wanted.items():
        if name not in fields:
            raise InvalidInput(f"axes: a setting has no {name!r}; it has {', '.join(fields)}")
        if not 1 <= len(values) <= MAX_VALUES:
            raise InvalidInput(f"axes: {name} has {len(values)} values: give 1 to {MAX_VALUES}")
    axes = tuple(
        Axis(name=name, values=tuple(_checked(name, value) for value in wanted[name]))
        for name in fields
        if name in wanted
    )
    owner: dict[str, str] = {}
    for axis in axes:
        for field in {field for index in range(len(axis.values)) for field in axis.fields(index)}:
            if field in owner:
                raise InvalidInput(f"axes: {owner[field]} and {axis.name} both set {field}: leave it to one of them")
            owner[field] = axis.name
    return axes


def _checked(name: str, value: JsonValue) -> JsonValue:
    # only what this value alone makes wrong; what does not go together is told when settings are made
    given = value if isinstance(value, dict) else {name: value}
    try:
        setting = Setting.model_validate({"threshold": 0.0, **given})
    except ValidationError as error:
        wrong = next(iter(error.errors()))
        if not wrong["loc"]:
            return value
        raise InvalidInput(f"axes: {name} = {value!r}: {wrong['msg']}") from error
    said = cast("dict[str, JsonValue]", setting.model_dump(mode="json"))
    return {field: said[field] for field in given} if isinstance(value, dict) else said[name]
