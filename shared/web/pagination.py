"""Lists are paged on the server: `?page=2&per_page=100`; a file (`?format=csv`) holds all pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel

from shared.errors import InvalidInput

MAX_PER_PAGE = 500
#: a file holds every row of the list, up to this many; the header X-Truncated says when there are more
MAX_IN_FILE = 100_000
#: far beyond any list, and its offset is a number the database can count to
MAX_PAGE = 1_000_000_000

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page of a list. `total` counts all rows of the filtered list; `page` starts at 1."""

    items: list[T]
    total: int
    page: int
    per_page: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, -(-self.total // self.per_page))


class PageNumbers(BaseModel):
    """Which page is asked for."""

    page: int = 1
    per_page: int = 100

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.page - 1) * self.per_page

    def of(self, items: list[T], total: int) -> Page[T]:
        """Return these items as this page of `total` rows."""
        return Page(items=items, total=total, page=self.page, per_page=self.per_page)


def _asked(
    request: Request,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    per_page: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = 100,
) -> PageNumbers:
    asked = request.query_params
    if asked.get("format") == "csv" and not {"page", "per_page"} & asked.keys():
        return PageNumbers(per_page=MAX_IN_FILE)
    return PageNumbers(page=page, per_page=per_page)


def sort_of(asked: str, columns: Sequence[str]) -> tuple[str, bool]:
    """Return (column, descending) of `-sharpe` or `sharpe`. Raises InvalidInput for a column that is not there."""
    column, descending = asked.removeprefix("-"), asked.startswith("-")
    if column not in columns:
        raise InvalidInput(f"cannot sort by {column!r}: use one of {', '.join(columns)}")
    return column, descending


#: Parameter type of a paged route: `def runs(paging: PageQuery, ...) -> Page[Run]`
PageQuery = Annotated[PageNumbers, Depends(_asked)]
