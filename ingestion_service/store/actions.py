"""Corporate actions: kept in the lake, and read from files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import polars as pl

from ingestion_service.domain.actions import Kind, Rename, from_factors
from ingestion_service.store.files import find_files
from shared.contracts.datasets import CORPORATE_ACTIONS
from shared.contracts.identifiers import check_symbol
from shared.errors import InvalidInput
from shared.storage.lake import Lake
from shared.storage.postgres import Connection

Precondition = Callable[[Connection], None]

_FACTORS = {
    "date": pl.Date,
    "price_factor": pl.Float64,
    "split_factor": pl.Float64,
    "reference_price": pl.Float64,
}


class ActionStore:
    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._renames: tuple[str, list[Rename]] = ("", [])

    def of(self, symbol: str, as_of: datetime | None = None) -> pl.DataFrame:
        """Return the actions of `symbol` (schema CORPORATE_ACTIONS), as known now or at a moment."""
        return self._lake.read(self._lake.snapshot(CORPORATE_ACTIONS, symbol=symbol, as_of=as_of))

    def renames(self) -> list[Rename]:
        """Return the renames of all symbols, oldest first; read once for each state of the actions."""
        snapshot = self._lake.snapshot(CORPORATE_ACTIONS)
        version, found = self._renames
        if version != snapshot.version:
            rows = self._lake.read(snapshot).filter(pl.col("kind") == Kind.RENAME.value).sort("ex_date")
            found = [Rename(**row) for row in rows.select("symbol", "former", on="ex_date").to_dicts()]
            self._renames = (snapshot.version, found)
        return found

    def version(self, symbols: Sequence[str], as_of: datetime | None = None) -> str:
        """Return the data version of the actions of `symbols`."""
        return self._lake.snapshot(CORPORATE_ACTIONS, symbol=list(symbols), as_of=as_of).version

    def save(self, actions: pl.DataFrame, still_mine: Precondition | None = None) -> None:
        """Add actions; one of the same symbol, kind and ex-date is replaced."""
        self._lake.upsert(CORPORATE_ACTIONS, actions, precondition=still_mine)

    def remove(self, symbol: str, kind: str, ex_date: date) -> int:
        """Take an action out and return how many there were."""
        wanted = (pl.col("kind") == kind) & (pl.col("ex_date") == ex_date)
        commit = self._lake.rewrite(CORPORATE_ACTIONS, lambda old: old.filter(~wanted), symbol=symbol)
        return -commit.rows_added


def read_factor_files(path: str, glob: str | None) -> dict[str, pl.DataFrame]:
    """Return the actions in each LEAN factor file at `path`, by symbol; a file is named after its symbol.

    Parquet or CSV with the columns date, price_factor, split_factor, reference_price; or LEAN's own CSV without a
    header and with dates as 20140606. Raises InvalidInput naming the file that is neither.
    """
    found: dict[str, pl.DataFrame] = {}
    for file in find_files(path, glob):
        symbol = check_symbol(file.name.split(".")[0])
        found[symbol] = from_factors(symbol, _factors(file), "files")
    return found


def _factors(file: Path) -> pl.DataFrame:
    try:
        if file.suffix in (".parquet", ".pq"):
            raw = pl.read_parquet(file, hive_partitioning=False)
        else:
            with file.open("rb") as opened:
                headed = not opened.read(1).isdigit()
            raw = pl.read_csv(
                file, has_header=headed, new_columns=None if headed else list(_FACTORS), infer_schema=False
            )
        texts = raw.select(pl.col(list(_FACTORS)).cast(pl.String))
        return texts.select(
            pl.coalesce(
                pl.col("date").str.to_date("%Y-%m-%d", strict=False), pl.col("date").str.to_date("%Y%m%d", strict=False)
            ),
            *(pl.col(name).cast(dtype) for name, dtype in _FACTORS.items() if name != "date"),
        ).drop_nulls("date")
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        first = str(error).strip().splitlines()[0]
        raise InvalidInput(f"{file}: is no factor file (columns {', '.join(_FACTORS)}): {first}") from error
