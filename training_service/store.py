"""Everything the training service reads and writes: features, closes, predictions, artefacts, its registry."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from shared.contracts.datasets import BARS_1M, FEATURES, PREDICTIONS
from shared.contracts.identifiers import fingerprint
from shared.contracts.messages import Window
from shared.errors import NotFound, Unavailable
from shared.storage.lake import Lake
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries
from training_service.domain.artefacts import checked, sha256
from training_service.domain.records import Model, Predicted

Precondition = Callable[[Connection], None]

#: bars.source of rows that were made up to close a gap: never a label
_FILLED = "filled"
_SET_ID = re.compile(r".+-[0-9a-f]{8}")


@dataclass(frozen=True, kw_only=True)
class ModelFilter:
    """Which models, in which order, which page of them. None leaves a filter out."""

    symbol: str | None = None
    parent: str | None = None
    feature_set: str | None = None
    sort: str = "created_at"
    descending: bool = True
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True)
class Columns:
    """Feature rows of a window (ts and features, ascending), closes of its real bars, and what names both."""

    features: pl.DataFrame
    bars: pl.DataFrame
    data_version: str


class Store:
    def __init__(self, database: Database, lake: Lake, models: Path) -> None:
        self._database = database
        self._lake = lake
        self._models = models
        self._queries = Queries.of("training_service")

    # series -------------------------------------------------------------------------------------------------------

    def feature_set_id(self, symbol: str, name: str) -> str:
        """Return the id features of `name` are stored under for `symbol`, the one built last when there are several.

        An id is returned as it is when it was built. Raises NotFound when nothing was.
        """
        built = self._lake.partitions(FEATURES, symbol=symbol)
        matching = [
            info
            for info in built
            if info.partition_values["feature_set"] == name
            or (
                _SET_ID.fullmatch(info.partition_values["feature_set"])
                and info.partition_values["feature_set"].rsplit("-", 1)[0] == name
            )
        ]
        if not matching:
            have = ", ".join(sorted({info.partition_values["feature_set"] for info in built})) or "none"
            raise NotFound(
                f"features of set {name!r} are not built for {symbol} (built: {have}): "
                "POST /features/build on the features service first"
            )
        return max(matching, key=lambda info: info.committed_at).partition_values["feature_set"]

    def feature_columns(self, feature_set: str, symbol: str) -> list[str]:
        """Return the columns stored of a set, sorted."""
        stored = self._lake.partitions(FEATURES, feature_set=feature_set, symbol=symbol)
        return sorted({name for info in stored for name in info.columns} - set(FEATURES.schema))

    def columns(self, feature_set: str, symbol: str, window: Window, features: Sequence[str]) -> Columns:
        """Read features and closes of a window. Raises NotFound when there are none of either."""
        start, end = window.start_utc, window.end_utc
        from_features = self._lake.snapshot(FEATURES, feature_set=feature_set, symbol=symbol, start=start, end=end)
        from_bars = self._lake.snapshot(BARS_1M, symbol=symbol, start=start, end=end)
        frame = self._lake.read(from_features, ["ts", *features])
        bars = self._lake.read(from_bars, ["ts", "close", "source"]).filter(pl.col("source") != _FILLED)
        for what, found, remedy in (("features", frame, "build"), ("bars", bars, "ingest or import")):
            if found.is_empty():
                raise NotFound(
                    f"there are no {what} of {symbol} from {window.start_utc:%Y-%m-%d} to "
                    f"{window.end_utc:%Y-%m-%d}: {remedy} them first"
                )
        version = fingerprint("training_data", features=from_features.version, bars=from_bars.version)
        return Columns(frame, bars.select("ts", "close"), version)

    def save_predictions(
        self,
        model: str,
        symbol: str,
        ts: pl.Series,
        prediction: np.ndarray,
        fold: np.ndarray | int,
        precondition: Precondition,
    ) -> None:
        """Add predictions; one of the same bar replaces an earlier one."""
        folds = np.broadcast_to(np.asarray(fold, dtype=np.int16), prediction.shape)
        frame = pl.DataFrame({"ts": ts, "prediction": prediction, "fold": folds}).select(
            pl.lit(model).alias("model"), pl.lit(symbol).alias("symbol"), "ts", "prediction", "fold"
        )
        self._lake.upsert(PREDICTIONS, frame, precondition=precondition)

    def predicted(self, model: str) -> list[Predicted]:
        """Return which bars have predictions of a model, by symbol."""
        return [
            Predicted(
                symbol=info.partition_values["symbol"], rows=info.row_count, first_ts=info.min_ts, last_ts=info.max_ts
            )
            for info in self._lake.partitions(PREDICTIONS, model=model)
            if info.min_ts is not None and info.max_ts is not None
        ]

    # artefacts ----------------------------------------------------------------------------------------------------

    def save_artefact(self, content: bytes) -> str:
        """Keep an artefact under its hash and return that; it is there as a whole or not at all, and never replaced.

        Raises Conflict when a file of that name has other content.
        """
        name = sha256(content)
        if self.has_artefact(name):
            self.artefact(name)
            return name
        try:
            self._models.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._models, prefix=".new-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                # linked, not renamed: a link never replaces what another worker has just put there
                with suppress(FileExistsError):
                    os.link(temporary, self._path(name))
            finally:
                Path(temporary).unlink(missing_ok=True)
            _sync_folder(self._models)
        except OSError as error:
            raise Unavailable(f"cannot keep the model in {self._models}: {error}") from error
        return name

    def has_artefact(self, name: str) -> bool:
        return self._path(name).exists()

    def artefact(self, name: str) -> bytes:
        """Return an artefact. Raises NotFound when the file is gone, Conflict when it is not what its name says."""
        path = self._path(name)
        try:
            return checked(path.read_bytes(), name)
        except FileNotFoundError:
            raise NotFound(f"model artefact {path} is gone: train the model again") from None

    def _path(self, name: str) -> Path:
        return self._models / f"{name}.json"

    # registry -----------------------------------------------------------------------------------------------------

    def model(self, name: str) -> Model | None:
        with self._database.transaction() as conn:
            return self._queries.row(conn, "model", Model, fingerprint=name)

    def models(self, wanted: ModelFilter) -> tuple[list[Model], int]:
        filters = {"symbol": wanted.symbol, "parent": wanted.parent, "feature_set": wanted.feature_set}
        order = {"sort": wanted.sort, "sign": -1.0 if wanted.descending else 1.0}
        with self._database.transaction() as conn:
            found = self._queries.rows(
                conn, "models", Model, **filters, **order, limit=wanted.limit, offset=wanted.offset
            )
            return found, self._queries.value(conn, "count_models", **filters)

    def models_by_set(self) -> dict[str, int]:
        """Return by feature set's id how many models were trained on it."""
        with self._database.transaction() as conn:
            return self._queries.value(conn, "models_by_set")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
