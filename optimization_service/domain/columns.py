"""The leaderboard's columns: every field of Setting and Metrics, whatever they hold, and a few of our own."""

from __future__ import annotations

from shared.contracts.messages import Metrics, Setting

SETTING_COLUMNS = tuple(Setting.model_fields)
METRIC_COLUMNS = tuple(Metrics.model_fields)
#: which trial of its batch it is, what it was tried on, how well its neighbourhood holds, what its trades say, and what
#: decides whether two trials can be compared: window, costs, cash, and the key of all three
OWN_COLUMNS = (
    "number", "symbol", "model", "plateau", "neighbours", "flag", "start", "end", "costs", "starting_cash", "terms",
)  # fmt: skip
COLUMNS = (*OWN_COLUMNS, *SETTING_COLUMNS, *METRIC_COLUMNS)

#: where the database finds each column that rows can be sorted and filtered by: not the flag, nor the terms
SOURCES = {
    **dict.fromkeys(("number", "symbol", "model", "plateau", "neighbours"), "own"),
    **dict.fromkeys(SETTING_COLUMNS, "setting"),
    **dict.fromkeys(METRIC_COLUMNS, "metrics"),
}
