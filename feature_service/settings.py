"""Settings of the feature service."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    name: str = "features"
    context_volatility: tuple[str, ...] = Field(
        default=("VIXY", "VIX", "VXX", "VXXB", "VOLX"),
        description="volatility proxies, the best first: of those that traded in the week before a month, the first",
    )
    context_market: tuple[str, ...] = Field(
        default=("QQQ", "QMKT", "SPY"), description="what stands for the market, the best first"
    )

    @property
    def roles(self) -> Mapping[str, tuple[str, ...]]:
        """Who may play each context role."""
        return {"volatility": self.context_volatility, "market": self.context_market}
