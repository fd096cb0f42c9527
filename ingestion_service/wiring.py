"""Puts ingestion together."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ingestion_service.settings import IEX_CLOSED, Settings
from ingestion_service.store.bars import BarStore
from ingestion_service.store.offers import offers
from ingestion_service.store.providers import Providers
from ingestion_service.use_cases import Bars, Intake
from shared.jobs.resources import Resources, open_resources

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wired:
    resources: Resources
    bars: Bars
    intake: Intake
    agents: Agents
    watchlist: Watchlist
    retention: Retention
    monitoring: Monitoring
    #: what each agent does in a run
    works: Mapping[JobKind, Work]


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    """Open what the service holds; the provider's client is made when a job first fetches."""
    with open_resources(settings, package="ingestion_service", schema="ingestion") as resources:
        store = BarStore(resources.database, resources.lake)
        providers = Providers(offers(settings, resources.clock), settings.chain)
        if settings.iex_token.get_secret_value():
            _log.warning("a setting that has no use any more", extra={"action": "iex_closed", "detail": IEX_CLOSED})
        yield Wired(
            resources=resources,
            bars=Bars(store, resources.clock),
            intake=Intake(store, resources.queue, resources.clock, providers),
        )


def _open_feed(settings: Settings, symbols: Sequence[str]) -> LiveFeed | None:
    """Open the stream of whoever answers at ALPACA_API_BASE_URL; None where the chain does not ask it, or no key is."""
    key_id, secret_key = settings.alpaca_keys
    if settings.alpaca_provider not in settings.chain or not key_id:
        return None
    from ingestion_service.store.alpaca_stream import AlpacaStream

    return AlpacaStream(
        name=settings.alpaca_provider,
        base_url=settings.alpaca_base_url,
        key_id=key_id,
        secret_key=secret_key,
        feed=settings.alpaca_feed,
        symbols=symbols,
    )


def _provider_clock(settings: Settings, machine: Clock) -> Clock:
    """Return the time of the market: the machine's, but on the simulated exchange its own."""
    return ask_clock(settings.alpaca_base_url, machine) if settings.chain == (SIMULATED,) else machine
