"""Asking providers for splits, dividends and renames."""

from __future__ import annotations

import polars as pl

from ingestion_service.domain.requests import FetchActions
from ingestion_service.domain.sources import KnowsActions, MarketDataSource, Refused
from ingestion_service.store.actions import ActionStore
from ingestion_service.store.providers import Providers
from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.jobs.context import JobContext
from shared.jobs.model import Submission
from shared.jobs.queue import Queue


class ActionIntake:
    """Submits and runs the jobs that bring corporate actions in."""

    def __init__(self, store: ActionStore, queue: Queue, providers: Providers) -> None:
        self._store, self._queue, self._providers = store, queue, providers

    def submit(self, request: FetchActions) -> int:
        """Enqueue a job. Raises InvalidInput when nobody the request names can be asked for actions here."""
        self._providers.check_actions(request.provider, request.symbol)
        return self._queue.submit(
            [
                Submission(
                    kind=JobKind.FETCH_ACTIONS,
                    payload=request.model_dump(mode="json"),
                    unique_key=fingerprint("fetch actions", request=request),
                )
            ]
        )[0]

    def run(self, request: FetchActions, ctx: JobContext) -> dict[str, object]:
        """Ask in order until somebody knows an action; keep them. An action that is known already is replaced.

        Raises Refused at once, NotFound when nobody could say anything, Unavailable when somebody was silent and
        nobody knew any.
        """
        line = self._providers.line(request.provider, request.symbol)
        said: dict[str, str] = {}
        silent: list[Unavailable] = []
        for done, source in enumerate(line.sources):
            ctx.advanced(done / len(line.sources), f"asking {source.name}")
            found = _told(source, request, said, silent)
            if found is not None and found.height:
                self._store.save(found, ctx.still_mine)
                return {"symbol": request.symbol, "provider": source.name, "actions": found.height, "providers": said}
        if silent:
            raise silent[0]
        if not any(phrase.startswith("gave") for phrase in said.values()):
            told = " | ".join(f"{name}: {phrase}" for name, phrase in said.items())
            raise NotFound(f"nobody could say which corporate actions {request.symbol} has: {told}")
        return {"symbol": request.symbol, "provider": "", "actions": 0, "providers": said}


def _told(
    source: MarketDataSource, request: FetchActions, said: dict[str, str], silent: list[Unavailable]
) -> pl.DataFrame | None:
    """Return what `source` knows, None when it says nothing; note what it said, and its silence."""
    if not isinstance(source, KnowsActions):
        said[source.name] = "has no corporate actions"
        return None
    try:
        found = source.actions(request.symbol, request.start, request.end)
    except Refused:
        raise
    except (InvalidInput, Unavailable) as error:
        said[source.name] = str(error)
        silent += [error] if isinstance(error, Unavailable) else []
        return None
    said[source.name] = f"gave {found.height:,} {'action' if found.height == 1 else 'actions'}"
    return found
