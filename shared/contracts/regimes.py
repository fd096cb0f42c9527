"""What the states of regime columns are called, in one place for all who show them."""

from __future__ import annotations

from collections.abc import Iterable

#: by column, the names of its states 0, 1, ...
REGIMES = {
    "regime_vix": ("bear volatile", "bear quiet", "bull volatile", "bull quiet"),
    "regime_gmm": ("calm", "usual", "stormy"),
    "regime_sma": ("below SMA 200", "above SMA 200"),
}


def state_name(regime: str, state: int) -> str:
    """Return what a state is called: "unknown" below 0, "" where nobody has named it (a column of somebody's own).

    regime : a column, or a set's id and a column (`full-1a2b3c4d:regime_vix`)
    """
    if state < 0:
        return "unknown"
    names = REGIMES.get(regime.rsplit(":", 1)[-1], ())
    return names[state] if state < len(names) else ""


def state_words(regime: str, states: Iterable[int]) -> str:
    """Return states for people: "2 bull volatile, 3 bull quiet"."""
    return ", ".join(f"{state} {state_name(regime, state)}".strip() for state in states)
