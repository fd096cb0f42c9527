"""Who can be asked for bars: each provider with what it needs, opened when it is first asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingestion_service.domain.sources import MarketDataSource
from ingestion_service.domain.symbols import crypto_pair
from shared.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A provider this service can speak to.

    `lacks` says what is missing before it can be asked for anything, `lacks_for_stocks` before anything but coins;
    both are None when nothing is.
    """

    open: Callable[[], MarketDataSource]
    lacks: str | None = None
    lacks_for_stocks: str | None = None

    def missing(self, symbol: str) -> str | None:
        """Return what is missing before it can be asked for `symbol`."""
        return self.lacks or (None if crypto_pair(symbol) else self.lacks_for_stocks)


@dataclass(frozen=True, kw_only=True)
class Status:
    """Whether a provider is asked when nobody is named, and what it lacks ("" for nothing) to be asked at all."""

    provider: str
    in_chain: bool
    lacks: str
    lacks_for_stocks: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """Whom to ask, in order, and who is passed over and why."""

    sources: tuple[MarketDataSource, ...]
    passed_over: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(source.name for source in self.sources)


class Providers:
    """The providers by name, and the chain that is asked when nobody is named."""

    def __init__(self, offers: Mapping[str, Offer], chain: Sequence[str]) -> None:
        self._offers = dict(offers)
        self._opened: dict[str, MarketDataSource] = {}
        self.chain = ",".join(chain)

    def status(self) -> list[Status]:
        """Return every provider, those of the chain first and in its order."""
        chain = self.chain.split(",")
        names = [*(name for name in chain if name in self._offers), *(n for n in self._offers if n not in chain)]
        return [
            Status(
                provider=name,
                in_chain=name in chain,
                lacks=self._offers[name].lacks or "",
                lacks_for_stocks=self._offers[name].missing("") or "",
            )
            for name in names
        ]

    def line(self, named: str, symbol: str) -> Line:
        """Return the providers `named` (separated by commas), those that lack something passed over.

        Raises InvalidInput for a name that is not known, and when nobody named can be asked.
        """
        ready, passed_over = self._ready(named, symbol)
        return Line(sources=tuple(self._source(name) for name in ready), passed_over=passed_over)

    def check(self, named: str, symbol: str) -> None:
        """Raise as `line` does, and open nobody."""
        self._ready(named, symbol)

    def _ready(self, named: str, symbol: str) -> tuple[list[str], dict[str, str]]:
        names = list(dict.fromkeys(name.strip().lower() for name in named.split(",") if name.strip()))
        unknown = [name for name in names if name not in self._offers]
        if unknown or not names:
            raise InvalidInput(
                f"provider {unknown[0] if unknown else named!r} is not known: use {', '.join(sorted(self._offers))}, "
                "or several of them separated by commas"
            )
        lacking = {name: lacks for name in names if (lacks := self._offers[name].missing(symbol))}
        ready = [name for name in names if name not in lacking]
        if not ready:
            raise InvalidInput(
                "; ".join(f"provider {name} cannot be asked for {symbol}: {lacks}" for name, lacks in lacking.items())
            )
        return ready, lacking

    def _source(self, name: str) -> MarketDataSource:
        if name not in self._opened:
            self._opened[name] = self._offers[name].open()
        return self._opened[name]
