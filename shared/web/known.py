"""Misspelt fields and query parameters are refused, and the answer says which ones there are.

A JSON router made by `strict_router()` refuses query parameters that its route does not have: a misspelt `start` would
otherwise mean everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from shared.web.lists import ListRoute

_UNKNOWN = "extra_forbidden"


def strict_router(**options: Any) -> APIRouter:  # noqa: ANN401 - APIRouter's own
    """Router for JSON routes that know all their query parameters, and whose lists are there as CSV too."""
    return APIRouter(route_class=ListRoute, dependencies=[Depends(_check_parameters)], **options)


def is_unknown(problem: Any) -> bool:  # noqa: ANN401 - pydantic's problem
    """Whether a problem of pydantic's is a field that the model does not have."""
    return problem["type"] == _UNKNOWN


def say_unknown(known: Sequence[str]) -> str:
    """Return what to say of a field that is not among `known`."""
    return f"is not known here: there are {', '.join(known)}" if known else "is not known here"


def fields_of(model: type[BaseModel]) -> list[str]:
    """Return the names under which a model's fields are given."""
    return [field.alias or name for name, field in model.model_fields.items()]


def known_at(route: object, place: Sequence[int | str]) -> list[str]:
    """Return the names that are known beside the one at `place` of a request to `route`; none where nobody can tell."""
    if place[0] == "query":
        return sorted(_parameters(route))
    body = getattr(getattr(route, "body_field", None), "field_info", None)
    model = _model_at(getattr(body, "annotation", None), place[1:-1])
    return fields_of(model) if model else []


def _check_parameters(request: Request) -> None:
    known = _parameters(request.scope["route"])
    strange = [name for name in request.query_params if name not in known]
    if strange:
        raise RequestValidationError(
            [
                {"type": _UNKNOWN, "loc": ("query", name), "msg": "", "input": request.query_params[name]}
                for name in strange
            ]
        )


def _parameters(route: object) -> set[str]:
    """Return the names of all query parameters of a route and its dependencies."""
    found = route.query_names if isinstance(route, ListRoute) else set[str]()
    for field in _fields(getattr(route, "dependant", None)):
        model = _model_at(field.field_info.annotation, ())
        found.update(fields_of(model) if model else [field.alias])
    return found


def _fields(dependant: Dependant | None) -> Iterator[Any]:
    if dependant is not None:
        yield from dependant.query_params
        for inner in dependant.dependencies:
            yield from _fields(inner)


def _model_at(kind: Any, steps: Sequence[int | str]) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """Return the model that is reached from `kind` by `steps` into fields and lists; None when there is none."""
    if get_origin(kind) is Annotated:
        return _model_at(get_args(kind)[0], steps)
    if get_origin(kind) in (Union, UnionType):
        return next((found for part in get_args(kind) if (found := _model_at(part, steps))), None)
    if not isinstance(kind, type) or not issubclass(kind, BaseModel):
        inner = get_args(kind)
        return _model_at(inner[-1 if get_origin(kind) is dict else 0], steps[1:]) if inner and steps else None
    if not steps:
        return kind
    field = kind.model_fields.get(str(steps[0]))
    return _model_at(field.annotation, steps[1:]) if field else None
