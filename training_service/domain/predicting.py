"""Which windows a frozen model may predict."""

from __future__ import annotations

from shared.contracts.messages import Window
from shared.errors import InvalidInput


def check_out_of_sample(trained_on: str, train: Window, symbol: str, asked: Window) -> None:
    """Raise InvalidInput unless `asked` begins at or after the end of the training window.

    This holds for other symbols too: markets move together, so a model that saw a day on one symbol knows something
    of that day on every other. And it holds for windows before the training: no one could have traded that model then.
    """
    if asked.start_utc < train.end_utc:
        raise InvalidInput(
            f"the model learned from {trained_on} until {train.end_utc:%Y-%m-%d %H:%M} UTC; predictions for {symbol} "
            f"from {asked.start_utc:%Y-%m-%d %H:%M} would look ahead: ask for a window that starts after its training"
        )
