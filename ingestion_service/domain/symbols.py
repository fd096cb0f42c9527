"""How providers spell what we call VIX, BTCUSD or BRK.B."""

from __future__ import annotations

import re

from shared.contracts.identifiers import check_symbol

#: Indices that providers sell under names of their own. An index prints every minute and has no volume.
INDICES = frozenset({"VIX", "VIX9D", "VIX3M", "VVIX", "VXN", "SPX", "XSP", "OEX", "NDX", "RUT", "DJI"})

#: Yahoo's own names where they are not the index's with a caret.
_YAHOO_INDICES = {"SPX": "^GSPC"}
_PAIR = re.compile(r"([A-Z0-9]{2,8})(USDT|USDC|USD)")
_FIAT = frozenset({"EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "CNH", "MXN", "SEK", "NOK", "DKK", "ZAR", "SGD"})
#: Longer than any ticker of a US stock without its suffix.
_LONGEST_STOCK = 5


def our_symbol(text: str) -> str:
    """Return `text` as we spell it: BTC/USD, BTC-USD and X:BTCUSD are BTCUSD, I:VIX and ^VIX are VIX, ^GSPC is SPX."""
    name = text.strip().upper()
    name = next((ours for ours, theirs in _YAHOO_INDICES.items() if theirs == name), name)
    name = re.sub(r"^(I:|X:|\^)", "", name).replace("/", "")
    joined = name.replace("-", "")
    return joined if crypto_pair(joined) else name


def read_symbol(text: str) -> str:
    """Return the symbol that `text` spells. Raises InvalidInput when it cannot be one."""
    return check_symbol(our_symbol(text))


def is_index(symbol: str) -> bool:
    return symbol in INDICES


def crypto_pair(symbol: str) -> tuple[str, str] | None:
    """Return (coin, currency) of a crypto symbol such as BTCUSD, None for any other.

    Told by its form: longer than a stock's ticker, ends in a dollar, and does not begin with another currency.
    """
    found = _PAIR.fullmatch(symbol) if len(symbol) > _LONGEST_STOCK else None
    return (found[1], found[2]) if found and found[1] not in _FIAT else None


def is_us_listed(symbol: str) -> bool:
    """Return whether `symbol` is an index or has the form of a US stock's ticker: the exchange's days are its days."""
    return is_index(symbol) or len(symbol.partition(".")[0]) <= _LONGEST_STOCK


def massive_ticker(symbol: str) -> str:
    """Return Massive's ticker: I:VIX, X:BTCUSD, SPY."""
    if is_index(symbol):
        return f"I:{symbol}"
    return f"X:{symbol}" if crypto_pair(symbol) else symbol


def yahoo_ticker(symbol: str) -> str:
    """Return Yahoo's ticker: ^VIX, BTC-USD, BRK-B, SPY."""
    if is_index(symbol):
        return _YAHOO_INDICES.get(symbol, f"^{symbol}")
    pair = crypto_pair(symbol)
    return "-".join(pair) if pair else symbol.replace(".", "-")
