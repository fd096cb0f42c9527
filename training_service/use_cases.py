"""Models: train and freeze, predict with what is frozen, list and open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Predict, Train, Window
from shared.contracts.progress import Progress
from shared.contracts.sessions import sessions_between
from shared.errors import InvalidInput, NotFound
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Connection
from training_service.domain.artefacts import Frozen
from training_service.domain.estimators import complete_params
from training_service.domain.predicting import check_out_of_sample
from training_service.domain.records import Model, Predicted
from training_service.domain.targets import log_return_labels
from training_service.domain.training import CODE_VERSION, Matrix, Trained, train
from training_service.store import Columns, ModelFilter, Store

Fence = Callable[[Connection], None]

#: fold number of the frozen artefact's predictions
FROZEN_FOLD = -1
_DAY_US = 86_400_000_000


class Models:
    """Frozen models and their predictions."""

    def __init__(self, store: Store, queue: Queue, *, threads: int = 1) -> None:
        self._store = store
        self._queue = queue
        self._threads = threads

    def submit(self, task: Train) -> int:
        """Enqueue a training and return the job's id; the same request while it waits or runs is the same job.

        Raises InvalidInput for unknown parameters or features, NotFound when the features are not built.
        """
        complete_params(task.estimator, task.params)
        payload = self._resolved(task).model_dump(mode="json")
        return self._enqueue(JobKind.TRAIN, payload)

    def submit_prediction(self, task: Predict) -> int:
        """Enqueue a prediction and return the job's id. Raises NotFound without such a model, and as `predict`."""
        model = self.model(task.model)
        check_out_of_sample(model.symbol, model.train, task.symbol, task.window)
        return self._enqueue(JobKind.PREDICT, task.model_dump(mode="json"))

    def train(self, task: Train, progress: Progress, still_mine: Fence) -> dict[str, Any]:
        """Train, freeze and register a model, predict `task.predict`, and return the job's result.

        A model that exists is not trained again; predictions it lacks are added. Raises NotFound without features
        or bars, InvalidInput for parameters, features or windows that cannot be trained on.
        """
        params = complete_params(task.estimator, task.params)
        task = self._resolved(task)
        columns = self._columns(task.feature_set, task.symbol, task.train, task.features)
        name = _name(task, params, columns.data_version)
        known = self._store.model(name)
        # without its artefact a model is trained again: the same inputs give the same bytes
        if known is not None and self._store.has_artefact(known.artefact_sha256):
            if task.predict is not None:
                # not only when rows are missing: bars may have been corrected since, and the same rows change nothing
                self._predict(self._frozen(known), name, task.feature_set, task.symbol, task.predict, still_mine)
            return {"fingerprint": name, "reused": True, "importance": known.importance, "metrics": known.metrics}
        matrix = _matrix(columns, task)
        span = (int(matrix.ts_us[0]) - _DAY_US, int(matrix.ts_us[-1]) + _DAY_US)
        trained = train(matrix, sessions_between(*span), task, params, threads=self._threads, progress=progress)
        artefact = self._store.save_artefact(trained.frozen.to_bytes())
        self._save_folds(name, task.symbol, matrix, trained, still_mine)
        if task.predict is not None:
            self._predict(trained.frozen, name, task.feature_set, task.symbol, task.predict, still_mine)
        registered = _registered(name, task, params, trained, artefact, columns.data_version)
        return {
            "fingerprint": name,
            "reused": False,
            "importance": trained.importance,
            "metrics": registered["metrics"],
            "model": registered,
        }

    def predict(self, task: Predict, progress: Progress, still_mine: Fence) -> dict[str, Any]:
        """Predict a window with a frozen model and return the job's result.

        Raises NotFound without the model, its artefact or features, Conflict when the artefact was changed,
        InvalidInput when the window reaches into the model's training or before it.
        """
        model = self.model(task.model)
        check_out_of_sample(model.symbol, model.train, task.symbol, task.window)
        progress.advanced(0.1, f"{task.symbol} with {model.estimator}")
        rows = self._predict(
            self._frozen(model),
            model.fingerprint,
            self._set_for(model, task.symbol),
            task.symbol,
            task.window,
            still_mine,
        )
        return {"model": task.model, "symbol": task.symbol, "rows": rows, "window": task.window.model_dump(mode="json")}

    def model(self, name: str) -> Model:
        """Return one model. Raises NotFound."""
        found = self._store.model(name)
        if found is None:
            raise NotFound(f"there is no model {name}")
        return found

    def page(self, wanted: ModelFilter) -> tuple[list[Model], int]:
        """Return a page of models and how many the filters leave."""
        return self._store.models(wanted)

    def by_set(self) -> dict[str, int]:
        """Return by feature set's id how many models were trained on it."""
        return self._store.models_by_set()

    def predicted(self, name: str) -> list[Predicted]:
        """Return which bars have predictions of a model, by symbol."""
        return self._store.predicted(name)

    def _enqueue(self, kind: JobKind, payload: dict[str, Any]) -> int:
        key = f"{kind}:{fingerprint('request', **payload)}"
        return self._queue.submit([Submission(kind=kind, payload=payload, unique_key=key)])[0]

    def _resolved(self, task: Train) -> Train:
        """Return `task` with the id of its feature set and its features spelt out, sorted, each once."""
        feature_set = self._store.feature_set_id(task.symbol, task.feature_set)
        have = self._store.feature_columns(feature_set, task.symbol)
        if unknown := sorted(set(task.features) - set(have)):
            raise InvalidInput(f"set {feature_set} has no feature {unknown[0]!r}: it has {', '.join(have)}")
        features = tuple(sorted(set(task.features))) or tuple(have)
        return task.model_copy(update={"feature_set": feature_set, "features": features})

    def _set_for(self, model: Model, symbol: str) -> str:
        # the very definition the model was trained on, also for another symbol
        return self._store.feature_set_id(symbol, model.feature_set)

    def _frozen(self, model: Model) -> Frozen:
        return Frozen.from_bytes(self._store.artefact(model.artefact_sha256), threads=self._threads)

    def _predict(
        self, frozen: Frozen, name: str, feature_set: str, symbol: str, window: Window, still_mine: Fence
    ) -> int:
        rows = self._rows(feature_set, symbol, window, frozen.features)
        if rows.is_empty():
            raise NotFound(
                f"no row of {feature_set} for {symbol} from {window.start_utc:%Y-%m-%d} to "
                f"{window.end_utc:%Y-%m-%d} has every feature of model {name[:12]}: build more history before it"
            )
        prediction = frozen.predict(_values(rows, frozen.features))
        self._store.save_predictions(name, symbol, rows["ts"], prediction, FROZEN_FOLD, still_mine)
        return rows.height

    def _rows(self, feature_set: str, symbol: str, window: Window, features: tuple[str, ...]) -> pl.DataFrame:
        return _complete_rows(self._columns(feature_set, symbol, window, features).features, features)

    def _columns(self, feature_set: str, symbol: str, window: Window, features: tuple[str, ...]) -> Columns:
        """Return the columns of a window. Raises NotFound when features lack bars that are there, or all are absent."""
        columns = self._store.columns(feature_set, symbol, window, features)
        without = columns.bars.filter(~pl.col("ts").is_in(columns.features["ts"].implode()))["ts"]
        if len(without) and (at := _first_in_session(without)) is not None:
            raise NotFound(
                f"bars of {symbol} have no features of {feature_set} from {at:%Y-%m-%d %H:%M} UTC on: POST "
                f"/features/build with a window that covers {window.start_utc:%Y-%m-%d} to {window.end_utc:%Y-%m-%d}"
            )
        return columns

    def _save_folds(self, name: str, symbol: str, matrix: Matrix, trained: Trained, still_mine: Fence) -> None:
        test = np.concatenate([result.fold.test for result in trained.folds])
        prediction = np.concatenate([result.prediction for result in trained.folds])
        fold = np.concatenate([np.full(len(result.prediction), result.fold.number) for result in trained.folds])
        ts = pl.Series(matrix.ts_us[test]).cast(pl.Datetime("us", "UTC"))
        self._store.save_predictions(name, symbol, ts, prediction, fold, still_mine)


def _first_in_session(ts: pl.Series) -> datetime | None:
    """Return the first of ascending instants in regular hours; features are of those alone."""
    instants = ts.dt.epoch("us").to_numpy()
    sessions = sessions_between(int(instants[0]) - _DAY_US, int(instants[-1]) + _DAY_US)
    inside = np.flatnonzero(sessions.index_of(instants) >= 0)
    return ts[int(inside[0])] if len(inside) else None


def _complete_rows(features: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """Return the rows that have a value of every feature: a model never sees a made-up one."""
    return features.filter(pl.all_horizontal(pl.col(names).is_not_nan().fill_null(value=False)))


def _values(rows: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.column_stack([rows[name].cast(pl.Float64).to_numpy() for name in names])


def _matrix(columns: Columns, task: Train) -> Matrix:
    """Return the rows of the training window with their labels. Raises NotFound when no row is complete."""
    rows = _complete_rows(columns.features, task.features)
    bar_ts = columns.bars["ts"].dt.epoch("us").to_numpy()
    rows = rows.filter(pl.col("ts").is_in(columns.bars["ts"].implode()))
    if rows.is_empty():
        raise NotFound(
            f"no bar of {task.symbol} from {task.train.start_utc:%Y-%m-%d} to {task.train.end_utc:%Y-%m-%d} has every "
            "feature: their warm-up needs earlier bars, or a feature has no value on this symbol"
        )
    sessions = sessions_between(int(bar_ts[0]) - _DAY_US, int(bar_ts[-1]) + _DAY_US)
    labels = log_return_labels(bar_ts, columns.bars["close"].to_numpy(), sessions, task.target.horizon_bars)
    ts_us = rows["ts"].dt.epoch("us").to_numpy()
    at = np.searchsorted(bar_ts, ts_us)
    return Matrix(ts_us, _values(rows, task.features), task.features, labels.value[at], labels.end_us[at])


def _name(task: Train, params: dict[str, float | int], data_version: str) -> str:
    # `predict` takes no part: a model is named by what made it, not by what it is used for
    return fingerprint(
        "model",
        code_version=CODE_VERSION,
        data_version=data_version,
        symbol=task.symbol,
        feature_set=task.feature_set,
        features=task.features,
        estimator=task.estimator,
        params=params,
        target=task.target,
        folds=task.folds,
        train=task.train,
        seed=task.seed,
        parent=task.parent,
    )


def _registered(
    name: str, task: Train, params: dict[str, float | int], trained: Trained, artefact: str, data_version: str
) -> dict[str, Any]:
    """Return the registry's row but for its job and time."""
    metrics = trained.metrics
    return {
        **task.model_dump(mode="json"),
        "fingerprint": name,
        "params": params,
        "importance": trained.importance,
        "metrics": {"r2": metrics.r2, "ic": metrics.ic, "hit_rate": metrics.hit_rate, "n": metrics.n},
        "fold_results": [result.as_json() for result in trained.folds],
        "train_rows": trained.train_rows,
        "artefact_sha256": artefact,
        "data_version": data_version,
        "code_version": CODE_VERSION,
    }
