"""Check of the settings for market data: who would be asked, and what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator

from barsmith.doctor.finding import Finding, fail, ok, warn
from barsmith.environment import CREDENTIALS, EXCHANGE_VARIABLE, exchange_address


def check_market_data(port_offset: int) -> Iterator[Finding]:
    """Yield who is asked for bars with this environment, and settings that do not do what they seem to."""
    from pydantic import SecretStr, ValidationError

    from ingestion_service.settings import DATA_HOST, IEX_CLOSED, Settings
    from ingestion_service.store.offers import offers
    from ingestion_service.store.providers import Providers
    from shared.clock import SystemClock

    address = os.environ.get(EXCHANGE_VARIABLE) or exchange_address(port_offset)
    check = "market data"
    try:
        settings = Settings(database_url=SecretStr(""), alpaca_base_url=address)
    except ValidationError as error:
        for problem in error.errors():
            said = problem["msg"].removeprefix("Value error, ")
            yield fail(check, said, "no service of ingestion starts before it is corrected")
        return
    clock = SystemClock()
    status = {one.provider: one for one in Providers(offers(settings, clock), settings.chain, clock).status()}
    own = dict.fromkeys(name for chain in settings.own_chains.values() for name in chain)
    lacking = [
        f"{name} ({why})"
        for name in dict.fromkeys([*settings.chain, *own])
        if (why := status[name].lacks or status[name].lacks_for_stocks)
    ]
    seen = f"asked in this order: {', '.join(settings.chain)}"
    seen += "".join(f"; {symbol}: {', '.join(chain)}" for symbol, chain in settings.own_chains.items())
    if lacking:
        yield warn(check, seen, f"passed over: {'; '.join(lacking)}")
    else:
        yield ok(check, seen)
    if not os.environ.get(EXCHANGE_VARIABLE) and any(os.environ.get(name) for name in CREDENTIALS):
        yield warn(check, "Alpaca's keys are set, its address is not", f"set {EXCHANGE_VARIABLE}={DATA_HOST}")
    if settings.iex_token.get_secret_value():
        yield warn(check, "IEX_TOKEN is set", IEX_CLOSED)
