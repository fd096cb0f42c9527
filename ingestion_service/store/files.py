"""Bars from the user's files: CSV or Parquet."""

from __future__ import annotations

import csv
import gzip
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import polars as pl

from ingestion_service.domain.columns import match_columns, read_times
from ingestion_service.domain.drift import Drift
from ingestion_service.domain.sources import EARLIEST, RAW_SCHEMA
from shared.contracts.identifiers import check_symbol
from shared.errors import InvalidInput

#: what polars appends to the name of a column that is there twice
_AGAIN = "_duplicated_0"
SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")


def find_files(path: str, glob: str | None = None) -> list[Path]:
    """Return the files at `path`, sorted by name: itself, or what `glob` (default: all we can read) finds in a folder.

    Raises InvalidInput when there is nothing to read, saying what is there instead.
    """
    try:
        root = Path(path).expanduser()
        is_file, is_folder, exists = root.is_file(), root.is_dir(), root.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long, or "~nobody"
        raise InvalidInput(f"{path:.100}: cannot be a path on this machine: {_reason(error)}") from error
    if is_file:
        return [_readable(root)]
    if not is_folder:
        raise InvalidInput(f"{path}: no such file or folder on this machine" if not exists else _odd(path))
    try:
        found = sorted(file for file in root.glob(_safe(glob or "*")) if file.is_file())
    except (ValueError, NotImplementedError) as error:
        raise InvalidInput(f"glob {glob!r} cannot be used: {error}; write e.g. **/*.parquet") from error
    files = [_readable(file) for file in found] if glob else [file for file in found if _suffix(file)]
    if not files:
        deeper = "" if glob else "; for those of folders in it use a glob, e.g. **/*.parquet"
        wanted = glob or ", ".join("*" + suffix for suffix in SUFFIXES)
        raise InvalidInput(f"{path}: no file matches {wanted}{deeper}")
    return files


@dataclass(frozen=True)
class FileSource:
    """The bars of one file. Reads it once, on first use.

    The symbol is the column's, else `symbol`, else the file's name: `SPY.parquet` holds SPY.
    """

    path: Path
    #: their column name -> ours
    columns: Mapping[str, str] = field(default_factory=dict)
    symbol: str | None = None
    timezone: str = "UTC"
    name: str = "files"

    def symbols(self) -> list[str]:
        """Return the symbols the file holds, sorted."""
        return sorted(self._rows["symbol"].unique().to_list())

    def earliest(self) -> datetime:
        return EARLIEST

    def drift(self) -> list[Drift]:
        return []  # nobody documented their fields

    def bars(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        wanted = pl.col("ts").is_null() | pl.col("ts").is_between(start, end, "left")
        return self.rows(symbol).filter(wanted).select(RAW_SCHEMA.names())

    def rows(self, symbol: str) -> pl.DataFrame:
        """Return all rows of `symbol` in RAW_SCHEMA, and `said`: the file's own row where a cell could not be read."""
        return self._rows.filter(pl.col("symbol") == symbol).drop("symbol")

    @cached_property
    def _rows(self) -> pl.DataFrame:
        """The whole file in RAW_SCHEMA with `said` and a symbol, in the file's order."""
        raw = self._read()
        matched = match_columns(raw.columns, self.columns, str(self.path))
        if raw.is_empty():
            raise InvalidInput(f"{self.path}: has a header and no rows")
        if twice := [name for name in matched.values() if f"{name}{_AGAIN}" in raw.columns]:
            raise InvalidInput(f"{self.path}: has two columns named {twice[0]!r}: leave one out")
        rows = raw.select(
            self._times(raw[matched["ts"]]),
            *(
                pl.col(matched[name]).cast(pl.Float64, strict=False).alias(name)
                for name in RAW_SCHEMA
                if name in matched and name != "ts"
            ),
            self._symbols(raw, matched.get("symbol")),
        )
        if "volume" not in matched:
            rows = rows.with_columns(volume=pl.lit(None, dtype=pl.Float64))
        return rows.with_columns(_said(raw, rows, matched))

    def _times(self, values: pl.Series) -> pl.Series:
        try:
            return read_times(values, self.timezone).alias("ts")
        except InvalidInput as error:
            raise InvalidInput(f"{self.path}: {error}") from error

    def _symbols(self, raw: pl.DataFrame, column: str | None) -> pl.Series:
        try:
            if column is None:
                return pl.repeat(
                    check_symbol(self.symbol or self.path.name.split(".")[0]), raw.height, eager=True
                ).alias("symbol")
            spelled = raw[column].cast(pl.String).fill_null("")
            ours = {name: check_symbol(name) for name in spelled.unique().to_list()}
        except InvalidInput as error:
            raise InvalidInput(f"{self.path}: {error}. Give the symbol with the import") from error
        if self.symbol is not None and set(ours.values()) != {self.symbol}:
            raise InvalidInput(f"{self.path}: holds {', '.join(sorted(set(ours.values())))}, not {self.symbol}")
        return spelled.replace_strict(ours, return_dtype=pl.String).alias("symbol")

    def _read(self) -> pl.DataFrame:
        if self.path.stat().st_size == 0:
            raise InvalidInput(f"{self.path}: the file is empty")
        is_text = _suffix(self.path) not in (".parquet", ".pq")
        try:
            if not is_text:
                return pl.read_parquet(self.path, hive_partitioning=False)
            # every column as text: one odd cell is one rejected row, not a file that cannot be read
            rows = pl.read_csv(self.path, infer_schema=False, encoding="utf8")
        except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
            first = str(error).strip().splitlines()[0]
            wanted = ". A row has as many cells as the header, with commas between" if is_text else ""
            raise InvalidInput(f"{self.path}: cannot be read as {_suffix(self.path)}: {first}{wanted}") from error
        cells = len(next(csv.reader([self._last_line()])))
        if cells < len(rows.columns):  # polars makes the rest null
            raise InvalidInput(
                f"{self.path}: its last row has {cells} of {len(rows.columns)} cells: it was not written to its end"
            )
        return rows

    def _last_line(self) -> str:
        """Return the last line that is not empty."""
        opened = gzip.open if self.path.name.lower().endswith(".gz") else open
        with opened(self.path, "rb") as file:
            tail = deque((line for line in file if line.strip()), maxlen=1)
        return tail[0].decode("utf8", "replace").strip() if tail else ""


def _said(raw: pl.DataFrame, rows: pl.DataFrame, matched: Mapping[str, str]) -> pl.Series:
    """Return as JSON what the file says in rows of which a cell could not be read, null for all other rows."""
    lost = pl.any_horizontal(
        [rows[ours].is_null() & raw[theirs].is_not_null() for ours, theirs in matched.items() if ours in RAW_SCHEMA]
    )
    texts = raw.select(pl.when(lost).then(pl.struct(pl.all().cast(pl.String)).struct.json_encode()))
    return texts.to_series().alias("said")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _suffix(file: Path) -> str | None:
    return next((suffix for suffix in SUFFIXES if file.name.lower().endswith(suffix)), None)


def _readable(file: Path) -> Path:
    if _suffix(file) is None:
        raise InvalidInput(f"{file}: bars are imported from {', '.join(SUFFIXES)} files")
    return file


def _odd(path: str) -> str:
    return f"{path}: is neither a file nor a folder"


def _safe(glob: str) -> str:
    if glob.startswith("/") or ".." in glob:
        raise InvalidInput(f"glob {glob!r} leaves the folder: write it relative to path, e.g. **/*.parquet")
    return glob
