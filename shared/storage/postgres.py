"""One pool of connections to Postgres. Transactions begin and end here and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import JsonbDumper
from psycopg_pool import ConnectionPool, PoolTimeout

from shared.errors import Unavailable

Connection = psycopg.Connection[DictRow]

#: How long a caller waits for a connection before it is told that the database does not answer.
CONNECT_TIMEOUT_S = 5.0


class Database:
    """A Postgres database, reached through a pool that opens on first use.

    Rows come back as dictionaries, timestamps in UTC; a `dict` parameter is sent as jsonb. Safe to share between
    threads, not between processes: after a fork or in a child, make a new one.
    """

    def __init__(self, url: str, *, application_name: str, max_size: int = 8) -> None:
        self.url = url
        self.application_name = application_name
        self._max_size = max_size
        self._opening = threading.Lock()
        self._pool: ConnectionPool[Connection] | None = None

    @property
    def address(self) -> str:
        """Where the database is, without user and password: for messages and logs."""
        parts = conninfo_to_dict(self.url)
        host = str(parts.get("host") or "localhost")
        port = "" if host.startswith("/") else f":{parts.get('port') or 5432}"
        return f"{host}{port}/{parts.get('dbname') or ''}"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, rolled back when an exception leaves it.

        Raises Unavailable when Postgres does not answer, or goes away in between (then nothing was committed,
        except when it went away in the middle of the commit itself).
        """
        try:
            with self._begun() as conn:
                yield conn
        except psycopg.OperationalError as error:
            raise Unavailable(f"Postgres at {self.address}: {_sentence(error)}") from error

    def check(self) -> None:
        """Raise Unavailable unless Postgres answers."""
        with self.transaction() as conn:
            conn.execute("select 1")

    def close(self) -> None:
        """Close the connections. The pool opens again if it is used again."""
        with self._opening:
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        pool = self._open_pool()
        conn = self._checked_out(pool)
        try:
            with conn:
                yield conn
        finally:
            pool.putconn(conn)

    def _checked_out(self, pool: ConnectionPool[Connection]) -> Connection:
        # BEGIN is sent anyway, so it is also the test whether a pooled connection outlived the server behind it
        for _ in range(self._max_size):
            conn = self._taken(pool)
            try:
                conn.execute("begin")
            except psycopg.OperationalError:
                pool.putconn(conn)
            else:
                return conn
        conn = self._taken(pool)
        conn.execute("begin")
        return conn

    def _taken(self, pool: ConnectionPool[Connection]) -> Connection:
        try:
            return pool.getconn()
        except PoolTimeout:
            raise Unavailable(f"Postgres at {self.address} does not answer: {self._reason()}") from None

    def _reason(self) -> str:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.Error as error:
            return _sentence(error)
        return f"all {self._max_size} connections of {self.application_name} were busy for {CONNECT_TIMEOUT_S:g} s"

    def _open_pool(self) -> ConnectionPool[Connection]:
        with self._opening:
            if self._pool is None:
                self._pool = ConnectionPool(
                    self.url,
                    connection_class=Connection,
                    kwargs={
                        "row_factory": dict_row,
                        "application_name": self.application_name,
                        "autocommit": True,  # transactions are begun above, explicitly
                    },
                    configure=_configure,
                    min_size=0,
                    max_size=self._max_size,
                    timeout=CONNECT_TIMEOUT_S,
                    num_workers=1,
                    open=True,
                )
            return self._pool


def _configure(conn: psycopg.Connection[Any]) -> None:
    conn.adapters.register_dumper(dict, JsonbDumper)
    conn.execute("set timezone = 'UTC'")


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
