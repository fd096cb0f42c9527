"""Schema drift: fields of a provider's answers that are new, missing, or of another type than documented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any, cast

#: How much of a value is kept as an example.
_EXAMPLE = 80

_JSON_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
    dict: "object",
    list: "array",
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """What a provider's documents say of a field: its JSON type ("string", "number"), and whether it may be absent."""

    type: str
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A field that is not as documented. `kind` is new, missing or retyped; `type` what was found, "" for missing."""

    provider: str
    field: str
    kind: str
    type: str
    expected: str
    example: str
    rows_seen: int


@dataclass(frozen=True, kw_only=True)
class SeenDrift(Drift):
    """Drift as it is kept."""

    first_seen: datetime
    last_seen: datetime


class FieldWatch:
    """Looks at a provider's rows and remembers what is odd, one entry a field, kind and type, until it is taken."""

    def __init__(self, provider: str, fields: Mapping[str, Field], hide: Callable[[str], str] = str) -> None:
        """`hide` takes out of an example what must not be kept."""
        self._provider = provider
        self._fields = dict(fields)
        self._hide = hide
        self._odd: dict[tuple[str, str, str], Drift] = {}

    def look(self, found: Sequence[object]) -> None:
        """Compare rows (JSON objects) with the documented fields; null stands for a value that is not there."""
        rows = cast("Sequence[Mapping[str, Any]]", [row for row in found if isinstance(row, dict)])
        if len(rows) < len(found):
            strange = next(row for row in found if not isinstance(row, dict))
            self._note("(row)", "retyped", _type_of(strange), "object", strange, len(found) - len(rows))
        shapes = Counter(map(tuple, rows))
        names = dict.fromkeys(name for shape in shapes for name in shape)
        for name in [name for name in names if name not in self._fields]:
            example = next(row[name] for row in rows if name in row)
            count = sum(times for shape, times in shapes.items() if name in shape)
            self._note(name, "new", _type_of(example), "", example, count)
        for name, field in self._fields.items():
            absent = sum(times for shape, times in shapes.items() if name not in shape)
            if absent and not field.optional:
                self._note(name, "missing", "", field.type, "", absent)
            if absent < len(rows):
                self._look_at_types(name, field, [row for row in rows if name in row] if absent else rows)

    def take(self) -> list[Drift]:
        """Return what was odd since the last call, and forget it."""
        odd, self._odd = list(self._odd.values()), {}
        return odd

    def _look_at_types(self, name: str, field: Field, rows: Sequence[Mapping[str, Any]]) -> None:
        value_of = itemgetter(name)  # in maps, not loops: every value of every answer is looked at
        for kind, count in Counter(map(type, map(value_of, rows))).items():
            found = _JSON_TYPES.get(kind, kind.__name__)
            if found != field.type and not (field.optional and found == "null"):
                example = next(value for value in map(value_of, rows) if type(value) is kind)
                self._note(name, "retyped", found, field.type, example, count)

    def _note(self, field: str, kind: str, found: str, expected: str, example: object, rows: int) -> None:
        key = (field, kind, found)
        known = self._odd.get(key)
        seen = Drift(
            provider=self._provider,
            field=field,
            kind=kind,
            type=found,
            expected=expected,
            example=self._hide(str(example))[:_EXAMPLE],
            rows_seen=rows,
        )
        self._odd[key] = seen if known is None else replace(known, rows_seen=known.rows_seen + rows)


def documented(numbers: Iterable[str], texts: Iterable[str] = (), optional: Iterable[str] = ()) -> dict[str, Field]:
    """Return fields by name: `numbers` and `texts` by their type, and `optional` numbers that may be absent."""
    return {
        **{name: Field(type="string") for name in texts},
        **{name: Field(type="number") for name in numbers},
        **{name: Field(type="number", optional=True) for name in optional},
    }


def _type_of(value: object) -> str:
    return _JSON_TYPES.get(type(value), type(value).__name__)
