"""What forms say of what was typed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, field_validator
from starlette.datastructures import FormData

from shared.web.forms import check_form


class Rules(BaseModel):
    days: float = Field(ge=1)
    kept: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    name: str = "x"

    @field_validator("kept", mode="before")
    @classmethod
    def _pairs(cls, value: str) -> dict[str, str]:
        return dict(pair.split("=") for pair in value.split())

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        if value != "x":
            raise ValueError(f"{value!r} is not known: use x")
        return value


def test_a_problem_says_the_value_once_and_which_part_of_a_field_it_is():
    form = check_form(Rules, FormData([("days", "0.5"), ("kept", "bars=30 jobs=0"), ("name", "y")]))
    assert form.errors == {
        "days": "Input should be greater than or equal to 1 (got '0.5')",
        "kept": "jobs: Input should be greater than or equal to 1 (got '0')",
        "name": "'y' is not known: use x",
    }
    assert check_form(Rules, FormData([("days", "")])).errors == {"days": "Field required"}
