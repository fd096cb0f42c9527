"""What is stored of many symbols now, in one question."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.datasets import Dataset
from shared.storage.lake import Lake, PartitionInfo, Snapshot


def snapshots_of(lake: Lake, dataset: Dataset, symbols: Sequence[str]) -> dict[str, Snapshot]:
    """Return each symbol's part of `dataset`, an empty one where there is none; opens no file."""
    files: dict[str, list[PartitionInfo]] = {symbol: [] for symbol in symbols}
    for file in lake.partitions(dataset, symbol=symbols):
        files[file.partition_values["symbol"]].append(file)
    return {symbol: Snapshot(dataset, tuple(found), None, None) for symbol, found in files.items()}
