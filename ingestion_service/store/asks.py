"""What providers were asked, what they answered, and how their answers' fields drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ingestion_service.domain.spans import Answered, FailedAsk, LastFailure, Span
from shared.jobs.model import storable
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries


@dataclass(frozen=True)
class _Named:
    symbol: str


@dataclass(frozen=True, kw_only=True)
class _AnsweredOf(Answered):
    symbol: str


class AskStore:
    """The record that tells an outage (never asked, or asked in vain) from minutes without a trade (answered)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = Queries.of("ingestion_service")

    def missing_spans(self, symbol: str, providers: Sequence[str], span: Span) -> list[Span]:
        """Return the parts of `span` still to be asked: where none of `providers` gave bars and not all answered."""
        with self._database.transaction() as conn:
            return self._queries.rows(
                conn, "missing_spans", Span, symbol=symbol, providers=list(providers), start=span.start, end=span.end
            )

    def touched(self, symbols: Sequence[str], providers: Sequence[str], span: Span) -> set[str]:
        """Return those of `symbols` of which any of `providers` has answered some of `span`."""
        with self._database.transaction() as conn:
            rows = self._queries.rows(
                conn,
                "touched",
                _Named,
                symbols=list(symbols),
                providers=list(providers),
                start=span.start,
                end=span.end,
            )
        return {row.symbol for row in rows}

    def answered_spans(self, symbol: str) -> list[Answered]:
        """Return what was answered of `symbol`, by provider and in order of time; pieces do not overlap."""
        return self.answered_spans_of([symbol])[symbol]

    def answered_spans_of(self, symbols: Sequence[str]) -> dict[str, list[Answered]]:
        """Do the same for many symbols in one question."""
        found: dict[str, list[Answered]] = {symbol: [] for symbol in symbols}
        with self._database.transaction() as conn:
            for one in self._queries.rows(conn, "answered_spans", _AnsweredOf, symbols=list(symbols)):
                found[one.symbol].append(Answered(provider=one.provider, start=one.start, end=one.end, empty=one.empty))
        return found

    def failed_asks(self, symbol: str) -> list[FailedAsk]:
        """Return what was asked of `symbol` and has not been answered by that provider since."""
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "failed_asks", FailedAsk, symbol=symbol)

    def last_failures(self) -> dict[str, LastFailure]:
        """Return, by symbol, the newest ask that its provider has not answered since."""
        with self._database.transaction() as conn:
            return {one.symbol: one for one in self._queries.rows(conn, "last_failures", LastFailure)}

    def record_answer(self, conn: Connection, symbol: str, provider: str, span: Span, *, empty: bool) -> None:
        """Note, in the caller's transaction, that `provider` answered `span` in full."""
        self._queries.run(
            conn, "record_fetched", symbol=symbol, provider=provider, start=span.start, end=span.end, empty=empty
        )
        self._queries.run(conn, "forget_failures", symbol=symbol, provider=provider)

    def record_answers(self, conn: Connection, provider: str, answers: Sequence[tuple[str, Span]]) -> None:
        """Do `record_answer` for many symbols, all of which got bars, in few round trips."""
        rows = [
            {"symbol": symbol, "provider": provider, "start": span.start, "end": span.end, "empty": False}
            for symbol, span in answers
        ]
        if rows:
            self._queries.run_many(conn, "record_fetched", rows)
            self._queries.run_many(conn, "forget_failures", rows)

    def forget_answers(self, conn: Connection, symbol: str, span: Span, provider: str | None = None) -> None:
        """Let a span of a symbol's minutes be what nobody, or not `provider`, was asked for; in that transaction."""
        self._queries.run(conn, "forget_answers", symbol=symbol, start=span.start, end=span.end, provider=provider)

    def forget_days(self, conn: Connection, symbol: str, before: datetime) -> None:
        """Let a symbol's days before a moment be what nobody was asked for, in the caller's transaction."""
        self._queries.run(conn, "forget_days", symbol=symbol, before=before)

    def record_failure(self, symbol: str, provider: str, span: Span, *, kind: str, reason: str) -> None:
        """Note that `provider` was asked for `span` and did not answer it."""
        with self._database.transaction() as conn:
            self._queries.run(
                conn,
                "record_failed",
                symbol=symbol,
                provider=provider,
                start=span.start,
                end=span.end,
                kind=kind,
                reason=storable(reason),
            )
