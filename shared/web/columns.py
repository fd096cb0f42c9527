"""Which columns of a table are shown: chosen on the page, kept in its address and nowhere else.

`?columns-gaps=from-utc&columns-gaps=minutes` shows two columns of the table called Gaps. Each page writes its cells
itself, so a column that is not shown is hidden by where it stands in its row. The first says what a row is, and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request

from shared.web.formats import slug

#: before a table's id: two tables of a page are chosen apart
PREFIX = "columns-"
#: a table of so many columns fits, and needs no choice
_FEW = 8


@dataclass(frozen=True)
class Choice:
    """A column that may be hidden, and how the address calls it."""

    name: str
    label: str
    shown: bool


@dataclass(frozen=True)
class ColumnChoice:
    """All columns but the first, `always`; `hidden` are the places, from 1, of those that are not shown."""

    parameter: str
    always: str
    choices: list[Choice]
    hidden: list[int]


def column_choice(request: Request, table: str, columns: Sequence[Mapping[str, object]]) -> ColumnChoice | None:
    """Return what the address chooses of the columns (label, key?) of the table with that id; None for few columns.

    Names the table does not have are passed over; when it has none of those in the address, all columns are shown.
    """
    if len(columns) <= _FEW:
        return None
    parameter = f"{PREFIX}{table}"
    names = [str(column.get("key") or slug(str(column["label"]))) for column in columns]
    asked = {name for name in request.query_params.getlist(parameter) if name in names} or set(names)
    choices = [
        Choice(name, str(column["label"]), name in asked) for name, column in zip(names[1:], columns[1:], strict=True)
    ]
    hidden = [place for place, choice in enumerate(choices, start=2) if not choice.shown]
    return ColumnChoice(parameter, names[0], choices, hidden)
