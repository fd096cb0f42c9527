"""Who can be asked for bars: each provider with what it needs, opened when it is first asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingestion_service.domain.estimates import Page
from ingestion_service.domain.sources import MarketDataSource
from ingestion_service.domain.symbols import crypto_pair
from shared.clock import Clock
from shared.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A provider this service can speak to.

    `lacks` says what is missing before it can be asked for anything, `lacks_for_stocks` before anything but coins;
    both are None when nothing is. `page` is what one answer of it holds at most.
    """

    open: Callable[[], MarketDataSource]
    lacks: str | None = None
    lacks_for_stocks: str | None = None
    tells_actions: bool = True
    page: Page = 10_000

    def missing(self, symbol: str) -> str | None:
        """Return what is missing before it can be asked for `symbol`."""
        return self.lacks or (None if crypto_pair(symbol) else self.lacks_for_stocks)


@dataclass(frozen=True, kw_only=True)
class Status:
    """Whether a provider is asked when nobody is named, and what it lacks ("" for nothing) to be asked at all.

    `own_chain_of` are the symbols whose own chain it is in.
    """

    provider: str
    in_chain: bool
    own_chain_of: tuple[str, ...]
    lacks: str
    lacks_for_stocks: str


#: Who gave up answering is asked after all others for so long: each patient try of a dead server takes minutes.
ASKED_LAST_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """Whom to ask, in order, and who is passed over and why. `fell_silent` is told of one that did not answer."""

    sources: tuple[MarketDataSource, ...]
    passed_over: Mapping[str, str]
    fell_silent: Callable[[str], None]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(source.name for source in self.sources)


class Providers:
    """The providers by name, and who is asked when nobody is named.

    That is the symbol's own chain, and `chain` for symbols without one. Who fell silent in this process comes last for
    `ASKED_LAST_S`.
    """

    def __init__(
        self,
        offers: Mapping[str, Offer],
        chain: Sequence[str],
        clock: Clock,
        own_chains: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._clock = clock
        self._silent_at: dict[str, float] = {}
        self._offers = dict(offers)
        self._opened: dict[str, MarketDataSource] = {}
        self.chain = tuple(chain)
        self.own_chains = {symbol: tuple(names) for symbol, names in (own_chains or {}).items()}

    def chain_of(self, symbol: str) -> tuple[str, ...]:
        """Return who is asked for `symbol` when a request names nobody, in order."""
        return self.own_chains.get(symbol, self.chain)

    def status(self) -> list[Status]:
        """Return every provider, those of the chain first and in its order."""
        chain = self.chain
        names = [*(name for name in chain if name in self._offers), *(n for n in self._offers if n not in chain)]
        return [
            Status(
                provider=name,
                in_chain=name in chain,
                own_chain_of=tuple(symbol for symbol, own in self.own_chains.items() if name in own),
                lacks=self._offers[name].lacks or "",
                lacks_for_stocks=self._offers[name].missing("") or "",
            )
            for name in names
        ]

    def line(self, named: str | None, symbol: str) -> Line:
        """Return the providers `named` (separated by commas; None: the symbol's chain); some are passed over.

        Raises InvalidInput for a name that is not known, and when nobody named can be asked.
        """
        ready, passed_over = self._ready(named, symbol)
        return Line(
            sources=tuple(self._source(name) for name in self._in_order(ready)),
            passed_over=passed_over,
            fell_silent=self._fell_silent,
        )

    def _in_order(self, ready: Sequence[str]) -> list[str]:
        return sorted(ready, key=self._is_silent)

    def _fell_silent(self, name: str) -> None:
        self._silent_at[name] = self._clock.monotonic()

    def _is_silent(self, name: str) -> bool:
        return self._clock.monotonic() - self._silent_at.get(name, float("-inf")) < ASKED_LAST_S

    def names(self, named: str | None, symbol: str) -> list[str]:
        """Return who would be asked, in order, and open nobody. Raises as `line` does."""
        return self._in_order(self._ready(named, symbol)[0])

    def page(self, name: str) -> Page:
        """Return what one answer of a provider holds at most."""
        return self._offers[name].page

    def check(self, named: str | None, symbol: str) -> None:
        """Raise as `line` does, and open nobody."""
        self._ready(named, symbol)

    def check_actions(self, named: str | None, symbol: str) -> None:
        """Raise as `check` does, and InvalidInput when nobody of the line tells corporate actions."""
        ready, _ = self._ready(named, symbol)
        tellers = [name for name, offer in self._offers.items() if offer.tells_actions and not offer.lacks]
        if not set(ready) & set(tellers):
            raise InvalidInput(
                f"provider {', '.join(ready)} has no corporate actions: name one that has, {' or '.join(tellers)}"
            )

    def _ready(self, named: str | None, symbol: str) -> tuple[list[str], dict[str, str]]:
        given = self.chain_of(symbol) if named is None else named.split(",")
        names = list(dict.fromkeys(name.strip().lower() for name in given if name.strip()))
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
