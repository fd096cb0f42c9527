"""Lists as files: their columns come from the answer's type, their cells from its JSON."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime

import pytest
from fastapi import Response
from pydantic import BaseModel

from shared.web.lists import ListRoute, written
from shared.web.pagination import Page


class Failure(BaseModel):
    provider: str
    at: datetime


class Tree(BaseModel):
    name: str
    inside: Tree | None = None


@dataclass
class Row:
    symbol: str
    rows: int
    share: float | None
    sources: list[str]
    counts: dict[str, int]
    failure: Failure | None


@dataclass
class Disk:
    free: int
    datasets: list[Row]


@dataclass
class Overview:
    disk: Disk
    failures: list[Failure]
    names: list[str]


def lists_of(answer: object, methods: list[str] | None = None) -> dict[str, list[str]]:
    def endpoint(): ...

    route = ListRoute("/somewhere", endpoint, response_model=answer, methods=methods)
    return {name: list(columns) for name, columns in route.lists.items()}


ROW = ["symbol", "rows", "share", "sources", "counts", "failure_provider", "failure_at"]


@pytest.mark.parametrize(
    ("answer", "lists"),
    [
        (list[Row], {"": ROW}),
        (Page[Row], {"items": ROW}),
        (Overview, {"disk.datasets": ROW, "failures": ["provider", "at"]}),
        (list[Tree], {"": ["name", "inside_name", "inside_inside_name", "inside_inside_inside"]}),
        (list[str], {}),
        (dict[str, int], {}),
        (Row, {}),
        (None, {}),
    ],
)
def test_the_type_of_an_answer_says_what_is_in_its_files(answer, lists):
    assert lists_of(answer) == lists


def test_what_does_something_and_what_answers_a_file_have_no_lists():
    def endpoint() -> Response: ...

    assert lists_of(list[Row], methods=["POST"]) == {}
    assert ListRoute("/somewhere", endpoint).lists == {}


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


COLUMNS = {"symbol": ("symbol",), "value": ("value",), "failure_at": ("failure", "at")}


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (0.1 + 0.2, "0.30000000000000004"),
        (12_345_678, "12345678"),
        (None, ""),
        (True, "true"),
        ("2024-06-03T13:30:00Z", "2024-06-03T13:30:00Z"),
        ("a, “b”\nand c", "a, “b”\nand c"),
        (["files", "files 1d"], '["files", "files 1d"]'),
        ({"VIX": 1}, '{"VIX": 1}'),
        (-1.5, "-1.5"),
        ("-1.5", "-1.5"),
        ("=HYPERLINK(0)", "'=HYPERLINK(0)"),
        ("+1+cmd", "'+1+cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-", "'-"),
    ],
)
def test_cells_are_raw_and_no_text_is_a_formula(value, cell):
    assert read(written([{"symbol": "SPY", "value": value, "failure": None}], COLUMNS)) == [
        {"symbol": "SPY", "value": cell, "failure_at": ""}
    ]


def test_a_list_without_rows_has_its_header():
    assert written([], COLUMNS) == "symbol,value,failure_at\n"
