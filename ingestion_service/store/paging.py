"""Whether the pages of an answer come to an end."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.errors import InvalidInput

#: So many pages without a row between them are no answer.
_EMPTY_PAGES = 100
#: Duplicated pages happen; an answer of so many rows a minute asked for is not one.
_ROWS_A_MINUTE, _SPARE_ROWS = 4, 10_000


class Paging:
    """Looks at each page of one question's answer. `most_rows`: None where nobody can tell how many there may be."""

    def __init__(self, where: str, most_rows: int | None = None) -> None:
        self._where, self._most_rows = where, most_rows
        self._cursors = set[str]()
        self._rows = self._empty = 0

    def look(self, rows: int, cursor: object) -> None:
        """Note a page of `rows` rows that names the next one by `cursor`, None for the last.

        Raises InvalidInput for a cursor that came before, for page after page without a row, and for far more rows
        than the span has minutes: such an answer would be read for ever.
        """
        self._rows += rows
        self._empty = 0 if rows else self._empty + 1
        trouble = ""
        if cursor is not None and str(cursor) in self._cursors:
            trouble = f"page {len(self._cursors) + 1} leads back to an earlier one"
        elif self._empty > _EMPTY_PAGES:
            trouble = f"{self._empty} pages in a row hold nothing, and name a next one"
        elif self._most_rows is not None and self._rows > self._most_rows:
            trouble = f"its pages hold more than {self._most_rows:,} rows, far more than the span has minutes"
        if trouble:
            raise InvalidInput(f"{self._where}: its answer does not end: {trouble}")
        self._cursors.add(str(cursor))


def paging_of_minutes(where: str, symbols: int, start: datetime, end: datetime) -> Paging:
    """Return the Paging of minute bars of so many symbols in [start, end)."""
    minutes = (end - start) // timedelta(minutes=1) + 1
    return Paging(where, _ROWS_A_MINUTE * symbols * minutes + _SPARE_ROWS)
