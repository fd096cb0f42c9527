"""Everything is named by the hash of what made it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, cast

from pydantic import BaseModel

from shared.errors import InvalidInput

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,14}")


def canonical_json(value: object) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, floats by shortest round-trip.

    Datetimes become ISO-8601 UTC with microseconds only where they are not zero, enums their value.
    Raises InvalidInput for NaN or infinite floats (they have no JSON form and never name a result)
    and for naive datetimes.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(kind: str, **parts: object) -> str:
    """Return the SHA-256 (64 hex digits) that names a thing of `kind` made from `parts`.

    The kind takes part, so a model and a sweep never share a name by accident.
    """
    text = canonical_json({"kind": kind, **parts})
    return hashlib.sha256(text.encode()).hexdigest()


def check_symbol(symbol: str) -> str:
    """Return `symbol` in upper case, or raise InvalidInput when it cannot be a ticker.

    Symbols become folder names and SQL parameters, so anything else is refused at the door.
    """
    upper = symbol.strip().upper()
    if not _SYMBOL.fullmatch(upper):
        raise InvalidInput(
            f"symbol {symbol!r} is not a ticker: use 1-15 letters, digits, '.' or '-', starting with a letter or digit"
        )
    return upper


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON has no narrower type
    if isinstance(value, BaseModel):
        value = value.model_dump()
    elif is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in cast("set[object]", value)), key=canonical_json)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    return _plain_scalar(value)


def _plain_scalar(value: object) -> str | bool | int | float | None:
    if isinstance(value, Enum):
        return _plain_scalar(value.value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return _plain_number(value)
    if isinstance(value, datetime):
        return _utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    raise InvalidInput(f"{type(value).__name__} cannot be part of a fingerprint")


def _plain_number(value: float) -> int | float:
    if not math.isfinite(value):
        raise InvalidInput(f"{value} cannot be part of a fingerprint: use a finite number")
    # 1.0 and 1 are the same parameter whichever way a client wrote it
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _utc_text(value: datetime) -> str:
    if value.tzinfo is None:
        raise InvalidInput(f"{value.isoformat()} has no time zone: write it in UTC, e.g. with a trailing Z")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
