"""What states of regimes are called."""

from __future__ import annotations

import pytest

from shared.contracts.regimes import state_name, state_words


@pytest.mark.parametrize(
    ("regime", "state", "name"),
    [
        ("regime_vix", 0, "bear volatile"),
        ("regime_vix", 3, "bull quiet"),
        ("full-1a2b3c4d:regime_gmm", 2, "stormy"),
        ("regime_sma", -1, "unknown"),
        ("regime_sma", 2, ""),
        ("mood", 0, ""),
    ],
)
def test_a_state_has_the_name_its_regime_gives_it(regime, state, name):
    assert state_name(regime, state) == name


def test_states_read_as_number_and_name_where_there_is_one():
    assert state_words("regime_vix", (2, 3)) == "2 bull volatile, 3 bull quiet"
    assert state_words("mood", (0, 1)) == "0, 1"
