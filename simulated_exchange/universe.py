"""What is listed on the simulated exchange, and how each symbol behaves."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_YEAR, LAST_YEAR = 2018, 2030

#: The planted edge `e`: in the first EDGE_MINUTES of a session, the return r of the next minute has the mean
#:     E[r(t+1) | past] = e * sigma(t+1) * clip(-x(t), -2, 2)
#: where x(t) is the session's last 15-minute return over its standard deviation, sqrt(sum of sigma^2 over those
#: minutes), and sigma(t) the volatility of minute t. A fall is bought, a rise is sold.
PLANTED_EDGE = 0.12
EDGE_MINUTES = 150
EDGE_LOOKBACK = 15
EDGE_CLIP = 2.0


@dataclass(frozen=True, kw_only=True)
class Listing:
    """How one symbol behaves.

    `daily_sd` is the sd of an average session's log return, `market_share` the correlation of its minute innovations
    with the market's, `silent` the share of minutes without a trade, `mean_volume` in shares a minute.
    """

    symbol: str
    about: str
    price: float
    daily_sd: float
    market_share: float
    mean_volume: float
    edge: float = 0.0
    silent: float = 0.0


INDEX = "VOLX"

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing(
            symbol="EDGE",
            about=f"planted edge: mean reversion of size e={PLANTED_EDGE} in the first {EDGE_MINUTES} minutes",
            price=400.0,
            daily_sd=0.010,
            market_share=0.5,
            mean_volume=9_000,
            edge=PLANTED_EDGE,
        ),
        Listing(
            symbol="FLAT",
            about="no edge: whatever is found in it is luck",
            price=400.0,
            daily_sd=0.010,
            market_share=0.5,
            mean_volume=9_000,
        ),
        Listing(
            symbol="CALM",
            about="no edge, low volatility, and about one minute in eight without a trade",
            price=250.0,
            daily_sd=0.006,
            market_share=0.4,
            mean_volume=900,
            silent=0.12,
        ),
        Listing(
            symbol="QMKT",
            about="no edge: the broad market the others lean on, like QQQ",
            price=380.0,
            daily_sd=0.011,
            market_share=0.98,
            mean_volume=90_000,
        ),
        Listing(
            symbol=INDEX,
            about="an index like VIX: a mean-reverting level that rises when the market falls; it has no volume (v=0)",
            price=17.0,
            daily_sd=0.06,
            market_share=-0.75,
            mean_volume=0,
        ),
    )
}
