"""What is kept of the agents, the watchlist, the universes, and of errors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.types.json import Jsonb

from ingestion_service.domain.agents import AGENTS, AgentRecord, Wanted
from shared.errors import NotFound
from shared.jobs.model import storable
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A symbol of the watchlist: bars are wanted from `since` on, and live ones when `live`."""

    symbol: str
    since: date
    live: bool
    added_at: datetime


@dataclass(frozen=True, kw_only=True)
class Universe:
    """A named list of symbols."""

    name: str
    symbols: list[str]
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """How often an agent or a job met errors of a class."""

    agent: str
    kind: str
    last_hour: int
    last_day: int
    last_week: int
    last_at: datetime
    example: str


@dataclass(frozen=True)
class _Hour:
    hour: datetime
    errors: int


@dataclass
class _Options:
    options: dict[str, Any]


class AgentStore:
    def __init__(self, database: Database) -> None:
        self.database = database
        self._queries = Queries.of("ingestion_service")

    # --- agents

    def records(self) -> dict[str, AgentRecord]:
        """Return every agent by name, also those never started."""
        with self.database.transaction() as conn:
            known = {one.name: one for one in self._queries.rows(conn, "agents", AgentRecord)}
        return {name: known.get(name) or AgentRecord(name=name, options={}) for name in AGENTS}

    def want(self, conn: Connection, name: str, wanted: Wanted, options: dict[str, Any] | None = None) -> None:
        """Say, in the caller's transaction, what an agent is to do; options of None stay as they are."""
        given = None if options is None else Jsonb(options)
        self._queries.run(conn, "want_agent", name=name, wanted=str(wanted), options=given)

    def set_options(self, name: str, options: dict[str, Any]) -> None:
        with self.database.transaction() as conn:
            self._queries.run(conn, "set_agent_options", name=name, options=Jsonb(options))

    def options(self, name: str) -> dict[str, Any]:
        with self.database.transaction() as conn:
            found = self._queries.row(conn, "agent_options", _Options, name=name)
        return found.options if found else {}

    def beat(self, name: str, note: str) -> Wanted:
        """Note that a run of the agent lives; return what is wanted of it now."""
        with self.database.transaction() as conn:
            return Wanted(self._queries.value(conn, "agent_beat", name=name, note=note) or Wanted.STOPPED)

    def alert(self, name: str, text: str | None) -> None:
        """Raise an alert about an agent, or end it."""
        with self.database.transaction() as conn:
            self._queries.run(conn, "agent_alert", name=name, alert=text)

    # --- what is watched

    def watched(self) -> list[Watched]:
        with self.database.transaction() as conn:
            return self._queries.rows(conn, "watched", Watched)

    def watch(self, conn: Connection, symbol: str, since: date, *, live: bool) -> None:
        self._queries.run(conn, "watch", symbol=symbol, since=since, live=live)

    def unwatch(self, symbol: str) -> None:
        """Raise NotFound when it is not watched."""
        with self.database.transaction() as conn:
            if not self._queries.run(conn, "unwatch", symbol=symbol):
                raise NotFound(f"{symbol} is not on the watchlist")

    def universes(self) -> list[Universe]:
        with self.database.transaction() as conn:
            return self._queries.rows(conn, "universes", Universe)

    def save_universe(self, name: str, symbols: list[str]) -> None:
        with self.database.transaction() as conn:
            self._queries.run(conn, "save_universe", name=name, symbols=symbols)

    def drop_universe(self, name: str) -> None:
        """Raise NotFound when there is none of that name."""
        with self.database.transaction() as conn:
            if not self._queries.run(conn, "drop_universe", name=name):
                raise NotFound(f"there is no universe {name!r}")

    # --- errors

    def note_trouble(self, agent: str, kind: str, example: str) -> None:
        """Count an error; the oldest are forgotten."""
        with self.database.transaction() as conn:
            self._queries.run(conn, "note_trouble", agent=agent, kind=kind, example=storable(example)[:300])
            self._queries.run(conn, "forget_trouble")

    def trouble_hours(self, agent: str, since: datetime) -> dict[datetime, int]:
        """Count the errors an agent met in each hour from `since` on; an hour without one is not there."""
        with self.database.transaction() as conn:
            found = self._queries.rows(conn, "trouble_hours", _Hour, agent=agent, since=since)
        return {one.hour: one.errors for one in found}

    def troubles(self) -> list[Trouble]:
        """Return the errors of the last week by agent and class, the newest first."""
        with self.database.transaction() as conn:
            return self._queries.rows(conn, "troubles", Trouble)
