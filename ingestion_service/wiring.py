"""Puts ingestion together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ingestion_service.domain.sources import MarketDataSource
from ingestion_service.settings import IEX_CLOSED, Settings
from ingestion_service.store.bars import BarStore
from ingestion_service.store.patience import Patience
from ingestion_service.store.providers import Offer, Providers
from ingestion_service.store.retry import SLOW
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
        providers = Providers(offers(settings, resources.clock), settings.chain)

        yield Wired(
            resources=resources,
            bars=Bars(store, resources.clock),
            intake=Intake(store, resources.queue, resources.clock, providers),
        )


def offers(settings: Settings, clock: Clock) -> dict[str, Offer]:
    """Return every provider this service can speak to; client libraries are imported when one is opened."""
    feed = Offer(open=partial(_open_alpaca, settings, clock))
    massive = Offer(
        open=partial(_open_massive, settings, clock),
        lacks=None if settings.massive_api_key.get_secret_value() else "set MASSIVE_API_KEY or POLYGON_API_KEY",
    )
    return {
        # crypto needs no key there; a stock that is asked for without one is told so
        settings.alpaca_provider: feed,
        "massive": massive,
        "yahoo": Offer(open=partial(_open_yahoo, settings, clock)),
        "iex": Offer(open=partial(_open_alpaca, settings, clock), lacks=IEX_CLOSED),
    }


def _open_alpaca(settings: Settings, clock: Clock) -> MarketDataSource:
    # imported here, as the others: alpaca-py pulls pandas, which only a process that fetches needs
    from ingestion_service.store.alpaca import AlpacaSource

    key_id, secret_key = settings.alpaca_keys
    return AlpacaSource(
        name=settings.alpaca_provider,
        base_url=settings.alpaca_base_url,
        key_id=key_id,
        secret_key=secret_key,
        feed=settings.alpaca_feed,
        patience=Patience(
            settings.alpaca_base_url, "ALPACA_KEY_ID, ALPACA_SECRET_KEY, ALPACA_FEED and ALPACA_API_BASE_URL", clock
        ),
    )


def _open_massive(settings: Settings, clock: Clock) -> MarketDataSource:
    from ingestion_service.store.massive import MassiveSource

    return MassiveSource(
        base_url=settings.massive_base_url,
        api_key=settings.massive_api_key.get_secret_value(),
        patience=Patience(settings.massive_base_url, "MASSIVE_API_KEY and its plan", clock, SLOW),
    )


def _open_yahoo(settings: Settings, clock: Clock) -> MarketDataSource:
    from ingestion_service.store.yahoo import YahooSource

    return YahooSource(
        base_url=settings.yahoo_base_url,
        cache=settings.home / "cache" / "yahoo",
        clock=clock,
        patience=Patience(settings.yahoo_base_url or "Yahoo", "the connection", clock, SLOW),
    )
