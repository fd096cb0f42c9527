"""Handing a service's parts to its routes by their type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from fastapi import Request

T = TypeVar("T")


def provided(wanted: type[T]) -> Callable[[Request], T]:
    """Dependency that hands a route one of the service's parts by its type.

        ModelsDep = Annotated[Models, Depends(provided(Models))]

    Works for every field of the wired dataclass and of its `resources` (Queue, Database, Lake, settings, clock).
    """

    def provide(request: Request) -> T:
        parts: dict[type[Any], Any] = request.state.parts
        if wanted in parts:
            return parts[wanted]
        for part in parts.values():
            if isinstance(part, wanted):
                return part
        have = ", ".join(sorted(kind.__name__ for kind in parts))
        raise LookupError(f"wiring.assemble() yields no {wanted.__name__}; it yields {have}")

    return provide


def parts_by_type(wired: Any) -> dict[type[Any], Any]:  # noqa: ANN401 - each service has its own dataclass
    """Every field of the wired dataclass and of its `resources`, by the type of its value."""
    parts = {type(wired): wired}
    for holder in (wired.resources, wired):
        for field in fields(holder):
            part = getattr(holder, field.name)
            parts[type(part)] = part
    return parts
