"""Connections to one Postgres database. Transactions begin and end here and nowhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import JsonbDumper

from shared.errors import Unavailable

Connection = psycopg.Connection[DictRow]

#: A restart of the server takes less than this, so callers do not notice it between two transactions.
PATIENCE_S = 5.0
PAUSE_S = 0.05


class Database:
    """A Postgres database, reached through at most `max_size` connections, which open on first use and are kept.

    Rows come back as dictionaries, timestamps in UTC; a `dict` parameter is sent as jsonb. Safe to share between
    threads, not between processes: in a child, make a new one.

    The connections are opened by whoever needs one, not by threads in the background as in psycopg_pool: the
    caller learns at once why it failed, and after an outage nobody waits for a pool's longest back-off.
    """

    def __init__(self, url: str, *, application_name: str, max_size: int = 8) -> None:
        self.url = url
        self.application_name = application_name
        self._max_size = max_size
        self._free = threading.BoundedSemaphore(max_size)
        self._idle: list[Connection] = []  # the last one used is the first one used again
        self._closed = False

    @property
    def address(self) -> str:
        """Where the database is, without user and password: for messages and logs."""
        parts = conninfo_to_dict(self.url)
        host = str(parts.get("host") or "localhost")
        port = "" if host.startswith("/") else f":{parts.get('port') or 5432}"
        return f"{host}{port}/{parts.get('dbname') or ''}"

    @contextmanager
    def transaction(self, *, patience: float = PATIENCE_S) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, rolled back when an exception leaves it.

        Raises Unavailable when Postgres does not answer for `patience` seconds, or goes away in between (then
        nothing was committed, except when it went away in the middle of the commit itself).
        """
        try:
            with self._begun(patience) as conn:
                yield conn
        except psycopg.OperationalError as error:
            raise Unavailable(f"Postgres at {self.address}: {_sentence(error)}") from error

    def check(self) -> None:
        """Raise Unavailable unless Postgres answers now."""
        with self.transaction(patience=0) as conn:
            conn.execute("select 1")

    def close(self) -> None:
        """Close all connections, those in use when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _begun(self, patience: float) -> Iterator[Connection]:
        if not self._free.acquire(timeout=max(patience, PAUSE_S)):
            raise Unavailable(
                f"all {self._max_size} connections of {self.application_name} to Postgres at {self.address}"
                f" were busy for {patience:g} s"
            )
        try:
            conn = self._with_begin(patience)
            try:
                yield conn
                conn.commit()
            except BaseException:
                # on a connection that is gone there is nothing left to roll back
                with suppress(psycopg.OperationalError):
                    conn.rollback()
                raise
            finally:
                self._put_back(conn)
        finally:
            self._free.release()

    def _with_begin(self, patience: float) -> Connection:
        deadline = time.monotonic() + patience
        while True:
            try:
                conn = self._idle.pop() if self._idle else self._connect()
            except IndexError:  # another thread was faster
                continue
            except psycopg.OperationalError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(PAUSE_S)
                continue
            try:
                # needed anyway, so it is also the test whether a kept connection outlived the server behind it
                conn.execute("begin")
            except psycopg.OperationalError:
                conn.close()
            else:
                return conn

    def _connect(self) -> Connection:
        conn = Connection.connect(
            self.url,
            application_name=self.application_name,
            autocommit=True,  # transactions are begun explicitly
            row_factory=dict_row,
            connect_timeout=5,
        )
        conn.adapters.register_dumper(dict, JsonbDumper)
        conn.execute("set timezone = 'UTC'")
        return conn

    def _put_back(self, conn: Connection) -> None:
        if self._closed or conn.info.transaction_status is not TransactionStatus.IDLE:
            conn.close()
        else:
            self._idle.append(conn)


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
