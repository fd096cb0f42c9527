"""The providers' own clients in front of local servers that speak their protocols, and the bars behind those."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from wire_servers import Wire, alpaca_crypto, massive, yahoo

from ingestion_service.domain.sources import MarketDataSource
from ingestion_service.store.patience import Patience
from shared.clock import Clock, FixedClock, SystemClock
from shared.testing.servers import serving
from simulated_exchange.market import Market

START, END = datetime(2024, 6, 27, tzinfo=UTC), datetime(2024, 7, 4, tzinfo=UTC)
TRUTH = (
    Market()
    .bars("EDGE", START, END)
    .select("ts", open="o", high="h", low="l", close="c", volume=pl.col("v").cast(pl.Float64))
)
WITHOUT_VOLUME = TRUTH.with_columns(volume=pl.lit(None, dtype=pl.Float64))
#: Yahoo keeps minutes for a month, so it is asked soon after
CLOCK = FixedClock(datetime(2024, 7, 10, tzinfo=UTC))
INTERNET = ("massive", "yahoo", "alpaca-crypto")


@dataclass
class Asked:
    """A provider's client that asks a local server, and the server's state."""

    source: MarketDataSource
    wire: Wire
    waits: list[float]
    symbol: str = "EDGE"


def alpaca(
    url: str, key: str = "simulated", pause: Callable[[float], None] = lambda _seconds: None, clock: Clock | None = None
) -> MarketDataSource:
    from ingestion_service.store.alpaca import AlpacaSource

    patience = Patience(url, "ALPACA_KEY_ID", clock or SystemClock(), pause=pause)
    secret = "simulated-secret" if key else ""
    return AlpacaSource(name="simulated", base_url=url, key_id=key, secret_key=secret, feed="iex", patience=patience)


@contextmanager
def provider(name: str, folder: Path, key: str = "the-key") -> Iterator[Asked]:
    """Open the real client of a provider on the internet, in front of a local server with its protocol."""
    waits: list[float] = []
    if name == "massive":
        from ingestion_service.store.massive import MassiveSource

        wire = Wire({"EDGE": TRUTH, "I:VIX": WITHOUT_VOLUME})
        with serving(massive(wire)) as http:
            patience = Patience(str(http.base_url), "MASSIVE_API_KEY", CLOCK, pause=waits.append)
            yield Asked(MassiveSource(base_url=str(http.base_url), api_key=key, patience=patience), wire, waits)
    elif name == "yahoo":
        from ingestion_service.store.yahoo import YahooSource

        wire = Wire({"EDGE": TRUTH, "^VIX": WITHOUT_VOLUME})
        with serving(yahoo(wire, CLOCK.now)) as http:
            patience = Patience(str(http.base_url), "the connection", CLOCK, pause=waits.append)
            source = YahooSource(base_url=str(http.base_url), cache=folder / "cache", clock=CLOCK, patience=patience)
            yield Asked(source, wire, waits)
    else:
        wire = Wire({"EDGE/USD": TRUTH})
        with serving(alpaca_crypto(wire)) as http:
            yield Asked(alpaca(str(http.base_url), key="", pause=waits.append, clock=CLOCK), wire, waits, "EDGEUSD")
