"""Who can be asked for bars: each provider with what it needs, opened when it is first asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingestion_service.domain.sources import MarketDataSource
from shared.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A provider this service can speak to. `lacks` says what is missing before it can, None when nothing is."""

    open: Callable[[], MarketDataSource]
    lacks: str | None = None


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

    def check(self, named: str) -> None:
        """Raise InvalidInput unless at least one of the providers `named` (separated by commas) can be asked."""
        self._ready(named)

    def status(self) -> dict[str, str]:
        """Return every provider's name with what it lacks, "" when it can be asked."""
        return {name: offer.lacks or "" for name, offer in self._offers.items()}

    def line(self, named: str) -> Line:
        """Return the providers `named`, those that lack something passed over. Raises InvalidInput as `check` does."""
        ready, passed_over = self._ready(named)
        return Line(sources=tuple(self._source(name) for name in ready), passed_over=passed_over)

    def _ready(self, named: str) -> tuple[list[str], dict[str, str]]:
        names = list(dict.fromkeys(name.strip().lower() for name in named.split(",") if name.strip()))
        unknown = [name for name in names if name not in self._offers]
        if unknown or not names:
            raise InvalidInput(
                f"provider {unknown[0] if unknown else named!r} is not known: use {', '.join(sorted(self._offers))}, "
                "or several of them separated by commas"
            )
        lacking = {name: lacks for name in names if (lacks := self._offers[name].lacks)}
        ready = [name for name in names if name not in lacking]
        if not ready:
            raise InvalidInput(
                "; ".join(f"provider {name} cannot be asked: {lacks}" for name, lacks in lacking.items())
            )
        return ready, lacking

    def _source(self, name: str) -> MarketDataSource:
        if name not in self._opened:
            self._opened[name] = self._offers[name].open()
        return self._opened[name]
