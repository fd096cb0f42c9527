"""HTML forms: read, checked by a Pydantic model, shown again with what was typed and what is wrong.

@router.post("/ingest")
def start_ingest(request: Request, submitted: SubmittedForm, ingests: IngestsDep) -> Response:
    form = check_form(IngestForm, submitted)
    if form.data is None:
        return render(request, "start.html", status=422, form=form)
    return redirect_after_post(f"/jobs/{ingests.submit(form.data)}")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, BeforeValidator, ValidationError
from starlette.datastructures import FormData

from shared.web.errors import got
from shared.web.known import fields_of, is_unknown, say_unknown

IDEMPOTENCY_FIELD = "idempotency_key"
M = TypeVar("M", bound=BaseModel)


def _split(value: object) -> object:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = " ".join(value)  # a query parameter comes as a list of what was given
    return value.replace(",", " ").split() if isinstance(value, str) else value


#: for a field that holds a list: `Annotated[tuple[Symbol, ...], Listed]` reads "SPY, QQQ"
Listed = BeforeValidator(_split)


async def _submitted(request: Request) -> FormData:
    return await request.form()


#: Parameter type of a route that receives a form.
SubmittedForm = Annotated[FormData, Depends(_submitted)]


@dataclass(frozen=True)
class Form(Generic[M]):
    """What was submitted: as typed, what is wrong by field, and the checked model when nothing is."""

    values: Mapping[str, str]
    errors: Mapping[str, str]
    data: M | None


def check_form(model: type[M], submitted: FormData) -> Form[M]:
    """Check a submitted form. Empty fields count as not given, so the model's defaults apply.

    A field sent several times becomes a list. Problems are told by field name; those of the whole model under
    the name "form".
    """
    values = {name: str(value) for name, value in submitted.items() if name != IDEMPOTENCY_FIELD}
    given: dict[str, str | list[str]] = {}
    for name in values:
        filled = [str(value) for value in submitted.getlist(name) if str(value).strip()]
        if filled:
            given[name] = filled if len(filled) > 1 else filled[0]
    try:
        return Form(values, {}, model.model_validate(given))
    except ValidationError as error:
        return Form(values, _by_field(error, model), None)


def _by_field(error: ValidationError, model: type[BaseModel] | None = None) -> dict[str, str]:
    """Return the first problem of each field; those of the whole model under the name "form"."""
    errors: dict[str, str] = {}
    for problem in error.errors():
        field = str(problem["loc"][0]) if problem["loc"] else "form"
        said = say_unknown(fields_of(model) if model else []) if is_unknown(problem) else problem["msg"]
        # our own words have the value in them; a part of a field that has a name is named, `bars_1m: ...`
        said = said.removeprefix("Value error, ") if problem["type"] == "value_error" else said + got(problem)
        errors.setdefault(field, ": ".join([*(step for step in problem["loc"][1:] if isinstance(step, str)), said]))
    return errors


def with_errors(form: Form[M], error: ValidationError) -> Form[M]:
    """Return the same form with the problems that a stricter model found in it."""
    return Form(form.values, {**form.errors, **_by_field(error)}, None)


def with_error(form: Form[M], field: str, message: str) -> Form[M]:
    """Return the same form with one more problem: for what only the use case could find out (unknown symbol, ...)."""
    return Form(form.values, {**form.errors, field: message}, None)
