"""The plain loop that `benchmarks/ingestion.py` is measured beside: alpaca-py -> pandas -> Parquet, nothing else.

Each function gets alpaca-py's client, the folder of its files and what to fetch, and returns how many bars it wrote.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from alpaca.data.historical.stock import StockHistoricalDataClient

KEYS = ("simulated", "simulated-secret")


def client(url: str) -> StockHistoricalDataClient:
    from alpaca.data.historical.stock import StockHistoricalDataClient

    found = StockHistoricalDataClient(*KEYS, url_override=url)
    found._session.trust_env = False  # noqa: SLF001 - no proxy between this machine and itself
    return found


def seed(url: str, folder: Path, symbols: list[str], start: datetime, end: datetime) -> None:
    """Write the days before the update: asked for once, since every symbol has the same bars."""
    frame = fetched(client(url), symbols[0], start, end)
    folder.mkdir()
    for symbol in symbols:
        frame.rename(index={symbols[0]: symbol}, level="symbol").to_parquet(folder / f"{symbol}.parquet")


def update(url: str, folder: Path, symbols: list[str], start: datetime, end: datetime, *, at_once: int = 1) -> int:
    """Put the new rows of each symbol into its file of the month; ask for `at_once` symbols together."""
    alpaca, rows = client(url), 0
    for first in range(0, len(symbols), at_once):
        asked = symbols[first] if at_once == 1 else symbols[first : first + at_once]
        frame = fetched(alpaca, asked, start, end)
        parts = [frame] if at_once == 1 else [part for _, part in frame.groupby(level="symbol")]
        rows += sum(merged(folder, part) for part in parts)
    return rows


def pull(url: str, folder: Path, symbol: str, start: datetime, end: datetime) -> int:
    frame = fetched(client(url), symbol, start, end)
    frame.to_parquet(folder / f"{symbol}.parquet")
    return len(frame)


def fetched(
    alpaca: StockHistoricalDataClient, symbols: str | list[str], start: datetime, end: datetime
) -> pd.DataFrame:
    from alpaca.data.requests import StockBarsRequest
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

    asked = StockBarsRequest(
        symbol_or_symbols=symbols,
        timeframe=TimeFrame(1, TimeFrameUnit("Min")),
        start=start,
        end=end - timedelta(microseconds=1),
    )
    return alpaca.get_stock_bars(asked).df  # pyright: ignore[reportAttributeAccessIssue] - not raw here


def merged(folder: Path, new: pd.DataFrame) -> int:
    """Put a symbol's new rows into its file, in place of old ones of the same minute; return how many."""
    import pandas as pd

    file = folder / f"{new.index[0][0]}.parquet"
    both = pd.concat([pd.read_parquet(file), new])
    both[~both.index.duplicated(keep="last")].sort_index().to_parquet(file)
    return len(new)
