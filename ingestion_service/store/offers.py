"""The providers this service can speak to, as its settings say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from ingestion_service.domain.live import LiveFeed
from ingestion_service.domain.sources import MarketDataSource
from ingestion_service.domain.symbols import crypto_pair, is_index
from ingestion_service.settings import ALPACA, DATA_HOST, IEX_CLOSED, SIMULATED, Settings
from ingestion_service.store.patience import Patience
from ingestion_service.store.providers import Offer
from ingestion_service.store.retry import SLOW
from shared.clock import Clock

#: Alpaca's feeds of stocks, and those that have a stream
FEEDS = ("iex", "sip", "delayed_sip", "otc", "boats", "overnight")
STREAMED = ("iex", "sip")


def offers(settings: Settings, clock: Clock) -> dict[str, Offer]:
    """Return every provider this service can speak to; client libraries are imported when one is opened."""
    leads_to_alpaca = settings.alpaca_provider == ALPACA
    no_feed = f"ALPACA_FEED={settings.alpaca_feed!r} is not a feed: use one of {', '.join(FEEDS)}"
    no_stocks = None if settings.alpaca_feed.lower() in FEEDS else no_feed
    massive_key = settings.massive_api_key.get_secret_value()
    return {
        ALPACA: Offer(
            open=partial(_open_alpaca, settings, clock),
            lacks=None if leads_to_alpaca else f"set ALPACA_API_BASE_URL={DATA_HOST}, and its keys",
            lacks_for_stocks=no_stocks if all(settings.alpaca_keys) else "set ALPACA_KEY_ID and ALPACA_SECRET_KEY",
        ),
        "massive": Offer(
            open=partial(_open_massive, settings, clock),
            lacks=None if massive_key else "set MASSIVE_API_KEY or POLYGON_API_KEY",
            page=50_000,
        ),
        "yahoo": Offer(open=partial(_open_yahoo, settings, clock), page=timedelta(days=7)),
        SIMULATED: Offer(
            open=partial(_open_alpaca, settings, clock),
            lacks="let ALPACA_API_BASE_URL lead to the simulated exchange" if leads_to_alpaca else None,
            lacks_for_stocks=no_stocks,
            tells_actions=False,
        ),
        "iex": Offer(open=partial(_open_alpaca, settings, clock), lacks=IEX_CLOSED),
    }


def is_streamed(settings: Settings, symbol: str) -> bool:
    """Return whether the stream at ALPACA_API_BASE_URL is asked for `symbol`: its chain names who answers there.

    Indices and coins come over REST.
    """
    asked = settings.alpaca_provider in settings.own_chains.get(symbol, settings.chain)
    return asked and not is_index(symbol) and crypto_pair(symbol) is None


def open_feed(settings: Settings, symbols: Sequence[str]) -> LiveFeed | None:
    """Open the stream of whoever answers at ALPACA_API_BASE_URL; None where there is none.

    That is without a key, and for a feed that is not streamed (delayed_sip, otc).
    """
    key_id, secret_key = settings.alpaca_keys
    if not key_id or settings.alpaca_feed.lower() not in STREAMED:
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
            settings.alpaca_base_url,
            "ALPACA_KEY_ID, ALPACA_SECRET_KEY, ALPACA_FEED and ALPACA_API_BASE_URL",
            clock,
            secrets=settings.alpaca_keys,
        ),
    )


def _open_massive(settings: Settings, clock: Clock) -> MarketDataSource:
    from ingestion_service.store.massive import MassiveSource

    key = settings.massive_api_key.get_secret_value()
    return MassiveSource(
        base_url=settings.massive_base_url,
        api_key=key,
        patience=Patience(settings.massive_base_url, "MASSIVE_API_KEY and its plan", clock, SLOW, secrets=(key,)),
    )


def _open_yahoo(settings: Settings, clock: Clock) -> MarketDataSource:
    from ingestion_service.store.yahoo import YahooSource

    return YahooSource(
        base_url=settings.yahoo_base_url,
        cache=settings.home / "cache" / "yahoo",
        clock=clock,
        patience=Patience(settings.yahoo_base_url or "Yahoo", "the connection", clock, SLOW),
    )
