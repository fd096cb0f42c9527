"""Regimes: in which of a few weathers a bar stands. `docs/regimes.md` shows each."""

from feature_service.domain.regimes.declared import FEATURES, MARKET_MIXTURE

__all__ = ["FEATURES", "MARKET_MIXTURE"]
