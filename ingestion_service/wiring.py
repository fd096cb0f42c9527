"""Puts ingestion together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ingestion_service.domain.sources import MarketDataSource
from ingestion_service.settings import Settings
from ingestion_service.store.bars import BarStore
from ingestion_service.use_cases import Bars, Intake
from shared.clock import Clock
from shared.jobs.resources import Resources, open_resources


@dataclass(frozen=True)
class Wired:
    resources: Resources
    bars: Bars
    intake: Intake


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    """Open what the service holds; the provider's client is made when a job first fetches."""
    with open_resources(settings, package="ingestion_service", schema="ingestion") as resources:
        store = BarStore(resources.database, resources.lake)

        def open_source() -> MarketDataSource:
            return _open_provider(settings, resources.clock)

        yield Wired(
            resources=resources,
            bars=Bars(store, resources.clock),
            intake=Intake(store, resources.queue, resources.clock, settings.provider, open_source),
        )


def _open_provider(settings: Settings, clock: Clock) -> MarketDataSource:
    # imported here: alpaca-py pulls pandas, which only a process that fetches needs
    from ingestion_service.store.alpaca import AlpacaSource

    return AlpacaSource(
        name=settings.provider,
        base_url=settings.alpaca_base_url,
        key_id=settings.alpaca_key_id.get_secret_value(),
        secret_key=settings.alpaca_secret_key.get_secret_value(),
        feed=settings.alpaca_feed,
        clock=clock,
    )
