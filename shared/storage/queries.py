"""Named SQL: statements live in `<package>/sql/queries.sql`, and Python calls them by name.

-- name: live_models
-- Every model of a symbol that was not retired, newest first.
select ... where symbol = %(symbol)s
"""

from __future__ import annotations

import logging
import re
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from psycopg.errors import PipelineAborted
from psycopg.rows import class_row, tuple_row

from shared.storage.postgres import Connection

T = TypeVar("T")


class _SaidAlready(logging.Filter):
    """Drops what psycopg logs besides raising why: that the rows after a refused one were not run either."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (isinstance(record.args, tuple) and any(isinstance(said, PipelineAborted) for said in record.args))


logging.getLogger("psycopg").addFilter(_SaidAlready())

_NAME = re.compile(r"^-- name: *(.*?) *$", re.MULTILINE)


class Queries:
    """The statements of one package, by name."""

    def __init__(self, source: str, statements: dict[str, bytes]) -> None:
        self._source = source
        self._statements = statements

    @classmethod
    def of(cls, package: str) -> Queries:
        """Return the statements of `<package>/sql/queries.sql`. Raises ValueError when the file is malformed."""
        return _load(package)

    @property
    def names(self) -> list[str]:
        return list(self._statements)

    def rows(self, conn: Connection, name: str, into: type[T], /, **params: object) -> list[T]:
        """Return all rows, each as `into(**row)`."""
        with conn.cursor(row_factory=class_row(into)) as cursor:
            return cursor.execute(self._statement(name), params).fetchall()

    def row(self, conn: Connection, name: str, into: type[T], /, **params: object) -> T | None:
        """Return the first row as `into(**row)`, or None when there is none."""
        with conn.cursor(row_factory=class_row(into)) as cursor:
            return cursor.execute(self._statement(name), params).fetchone()

    def value(self, conn: Connection, name: str, /, **params: object) -> Any:  # noqa: ANN401 - any column type
        """Return the first column of the first row, or None when there is no row."""
        with conn.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(self._statement(name), params).fetchone()
        return row[0] if row else None

    def run(self, conn: Connection, name: str, /, **params: object) -> int:
        """Run the statement and return how many rows it touched."""
        return conn.execute(self._statement(name), params).rowcount

    def run_many(self, conn: Connection, name: str, rows: list[dict[str, Any]], /) -> int:
        """Run the statement once for each of `rows`, in few round trips, and return how many rows it touched."""
        with conn.cursor() as cursor:
            cursor.executemany(self._statement(name), rows)
            return cursor.rowcount

    def _statement(self, name: str) -> bytes:
        try:
            return self._statements[name]
        except KeyError:
            raise LookupError(f"{self._source} has no query {name!r}; it has {', '.join(self._statements)}") from None


@cache
def _load(package: str) -> Queries:
    source = f"{package}/sql/queries.sql"
    text = resources.files(package).joinpath("sql", "queries.sql").read_text(encoding="utf-8")
    _, *pieces = _NAME.split(text)
    statements: dict[str, bytes] = {}
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in statements:
            raise ValueError(f"{source}: query name {name!r} is malformed or used twice")
        statements[name] = _statement(f"{source}: {name}", body)
    return Queries(source, statements)


def _statement(where: str, body: str) -> bytes:
    lines = body.strip().splitlines()
    if not lines or not lines[0].startswith("-- "):
        raise ValueError(f"{where}: begin with a comment that says in one sentence what it does")
    # comments stay out of what is sent: a % in one would be taken for a parameter
    sql = "\n".join(line for line in lines if not line.lstrip().startswith("--")).strip()
    if not sql:
        raise ValueError(f"{where}: there is no SQL under the comment")
    return sql.encode()
