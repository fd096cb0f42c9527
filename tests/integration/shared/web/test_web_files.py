"""Lists over HTTP as files: all pages of them, lists inside of an answer, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from shared.testing.servers import serving
from shared.web.errors import install_errors
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery

router = strict_router()


class Row(BaseModel):
    name: str
    value: float | None


class Inside(BaseModel):
    rows: list[Row]


class Answer(BaseModel):
    told: Inside | None
    others: list[Row]


ROWS = [Row(name=f"row {number}", value=number / 3) for number in range(700)]


@router.get("/rows/{symbol}")
def list_rows(symbol: str, paging: PageQuery, search: str = "") -> Page[Row]:
    found = [row for row in ROWS if search in row.name and symbol == "SPY"]
    return paging.of(found[paging.offset : paging.offset + paging.per_page], len(found))


@router.get("/answer")
def show_answer() -> Answer:
    return Answer(told=None, others=[Row(name="other", value=None)])


@router.get("/numbers")
def list_numbers() -> list[int]:
    return [1]


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    app = FastAPI()
    install_errors(app)
    app.include_router(router)
    with serving(app) as client:
        yield client


def test_a_file_has_all_pages_of_what_was_filtered(http):
    every = http.get("/rows/SPY?format=csv")
    assert every.headers["content-type"].startswith("text/csv")
    assert every.headers["content-disposition"] == 'attachment; filename="rows-SPY.csv"'
    assert every.text.splitlines()[:3] == ["name,value", "row 0,0.0", "row 1,0.3333333333333333"]
    assert (len(every.text.splitlines()), every.headers["x-truncated"]) == (701, "false")
    assert http.get("/rows/SPY?format=csv&search=69").text.splitlines()[1:3] == [
        "row 69,23.0",
        "row 169,56.333333333333336",
    ]
    page = http.get("/rows/SPY?format=csv&page=3&per_page=2")
    assert page.text.splitlines()[1].startswith("row 4,")
    assert page.headers["x-truncated"] == "true"
    assert http.get("/rows/SPY?format=json").json() == http.get("/rows/SPY").json()


def test_a_list_inside_is_named_and_may_not_be_there(http):
    assert http.get("/answer?format=csv&list=others").text == "name,value\nother,\n"
    assert http.get("/answer?format=csv&list=told.rows").text == "name,value\n"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/answer?format=csv", 400, "list '' is not in this answer: use one of told.rows, others"),
        ("/answer?format=csv&list=row", 400, "list 'row' is not in this answer: use one of told.rows, others"),
        ("/rows/SPY?format=tsv", 400, "format 'tsv': use json or csv"),
        (
            "/rows/SPY?fromat=csv",
            422,
            "fromat: is not known here: there are format, page, per_page, search (got 'csv')",
        ),
        ("/numbers?format=csv", 422, "format: is not known here (got 'csv')"),
    ],
)
def test_what_cannot_be_a_file_is_said(http, path, status, said):
    answer = http.get(path)
    assert (answer.status_code, answer.json()["detail"]) == (status, said)
