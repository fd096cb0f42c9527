"""Which columns of a table are shown, as its page's address says."""

from __future__ import annotations

import pytest
from fastapi import Request

from shared.web.columns import column_choice
from shared.web.formats import csv_url, url_with

COLUMNS = [{"label": "symbol", "key": "symbol"}, *({"label": f"figure {n}"} for n in range(7)), {"label": "R² bp"}]


def asked(query: str) -> Request:
    return Request({"type": "http", "path": "/", "query_string": query.encode(), "headers": []})


@pytest.mark.parametrize(
    ("query", "hidden"),
    [
        ("", []),
        ("columns-others=symbol", []),
        ("columns-rows=symbol", [2, 3, 4, 5, 6, 7, 8, 9]),
        ("columns-rows=symbol&columns-rows=figure-0&columns-rows=r-bp", [3, 4, 5, 6, 7, 8]),
        ("columns-rows=figure-0&columns-rows=unheard", [3, 4, 5, 6, 7, 8, 9]),  # the first one stays all the same
        ("columns-rows=unheard", []),
    ],
)
def test_columns_that_the_address_does_not_name_are_hidden(query, hidden):
    choice = column_choice(asked(query), "rows", COLUMNS)
    assert choice is not None
    assert choice.hidden == hidden
    assert [place for place, one in enumerate(choice.choices, start=2) if not one.shown] == hidden


def test_a_narrow_table_has_no_choice():
    assert column_choice(asked("columns-rows=symbol"), "rows", COLUMNS[:8]) is None


def test_other_links_of_the_page_keep_the_choice_and_files_do_not_need_it():
    request = asked("search=s&sort=&columns-rows=symbol&columns-rows=r-bp&page=2")
    assert url_with(request, page=None, sort="-rows") == "?search=s&columns-rows=symbol&columns-rows=r-bp&sort=-rows"
    assert csv_url(request, "/rows", "search", "sort", "why", list="x") == "/rows?search=s&list=x&format=csv"
