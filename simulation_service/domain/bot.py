"""The bot: a second model that says how likely the first one is right (meta-labelling, Lopez de Prado 2018, ch. 3.6).

1. A bar's label is 1 when the close `horizon_bars` later in its session lies on the side the base model said.
2. What the forest sees of a bar is known at its close: the prediction and its size beside the usual, volatility, what
   the price did lately in the prediction's direction, the minute of the session, and how often the base model was
   right of late, by labels that had ended.
3. Predictions come in blocks: walk-forward folds, then the frozen model's (a user's series: calendar months). The
   bot of a block learns from labels that ended before the block begins, and from nothing else: those are
   out-of-sample predictions of earlier folds. Where there are too few, the bot says nothing (NaN): no trade passes.

Rows that overlap say the same thing again, so evenly spaced ones are learnt from, at most MAX_TRAIN_ROWS.
"""

# scikit-learn ships no types
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.contracts.backtests import Signal
from shared.contracts.identifiers import fingerprint

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Part of a bot's name: bump it when a change here changes a probability.
BOT_VERSION = "bot-1"
MIN_TRAIN_ROWS = 500
MAX_TRAIN_ROWS = 10_000
_MINUTE_US = 60_000_000
#: bars that volatility and "the usual" are measured over
_LONG, _SHORT, _RECENT_LABELS = 390, 30, 200


@dataclass(frozen=True, kw_only=True)
class BotSpec:
    """How a bot is made. `seed` draws the forest's samples; the same spec on the same rows is the same bot."""

    horizon_bars: int = 15
    trees: int = 60
    depth: int = 6
    min_leaf: int = 40
    seed: int = 7


@dataclass(frozen=True, kw_only=True)
class Said:
    """One symbol's bars inside regular hours, ascending, and what the base model said on them; all of shape (bars,).

    ts_us : start of the bar; session : which session, ascending; minute : of the session
    side : 1, -1, or 0 where it said nothing
    size : how strongly, >= 0, in any unit; NaN where it said nothing
    block : the block its prediction belongs to, ascending in time; -1 where it said nothing
    """

    ts_us: Ints
    session: Ints
    minute: Ints
    high: Floats
    low: Floats
    close: Floats
    side: Ints
    size: Floats
    block: Ints

    def fingerprint(self, spec: BotSpec, library: str) -> str:
        """Return the name of the bot these rows and `spec` make; `library` is the version of scikit-learn."""
        digest = hashlib.sha256()
        for array in (
            self.ts_us, self.session, self.minute, self.high, self.low, self.close, self.side, self.size, self.block,
        ):  # fmt: skip
            digest.update(np.ascontiguousarray(array).tobytes())
        return fingerprint("bot", version=BOT_VERSION, library=library, spec=spec, rows=digest.hexdigest())


def sides(signal: Signal, prediction: Floats, close: Floats) -> tuple[Ints, Floats]:
    """Return which way each prediction points (1, -1, 0 for none) and how strongly (NaN for none), by what it is."""
    centred = {
        Signal.PRICE: lambda: prediction / close - 1.0,
        Signal.PROBABILITY: lambda: prediction - 0.5,
    }.get(signal, lambda: prediction)()
    return np.nan_to_num(np.sign(centred)).astype(np.int64), np.abs(centred)


def probabilities(said: Said, spec: BotSpec, teacher: Said | None = None) -> Floats:
    """Return the probability on each bar that the base model is right there, NaN where the bot says nothing.

    teacher : rows to learn from when `said` has no earlier blocks of its own: the same model's predictions of the
        symbol it was trained on; None learns from `said`.
    """
    inputs = _inputs(said, spec.horizon_bars)
    taught = said if teacher is None else teacher
    taught_inputs = inputs if teacher is None else _inputs(teacher, spec.horizon_bars)
    right, ended_us = _labels(taught, spec.horizon_bars)
    usable = np.isfinite(right)
    out = np.full(len(said.ts_us), np.nan)
    for block in np.unique(said.block[said.block >= 0]):
        rows = np.flatnonzero(said.block == block)
        past = np.flatnonzero(usable & (taught.block >= 0) & (ended_us <= said.ts_us[rows[0]]))
        forest = _fitted(taught_inputs[_spaced(past)], right[_spaced(past)], spec) if len(past) else None
        if forest is not None:
            out[rows] = forest.predict_proba(inputs[rows])[:, 1]
    return out


def _fitted(inputs: Floats, right: Floats, spec: BotSpec) -> Any:  # noqa: ANN401 - scikit-learn has no types
    """Return the forest of these rows, None when they are too few or all alike."""
    if len(right) < MIN_TRAIN_ROWS or right.min() == right.max():
        return None
    # imported here: half a second that only a bot needs
    from sklearn.ensemble import RandomForestClassifier

    forest: Any = RandomForestClassifier(
        n_estimators=spec.trees,
        max_depth=spec.depth,
        min_samples_leaf=spec.min_leaf,
        random_state=spec.seed,
        n_jobs=1,
    )
    return forest.fit(inputs, right.astype(np.int64))


def _spaced(rows: Ints) -> Ints:
    """Return at most MAX_TRAIN_ROWS of the rows, evenly spaced."""
    return rows[:: -(-len(rows) // MAX_TRAIN_ROWS)]


def _labels(said: Said, horizon: int) -> tuple[Floats, Ints]:
    """Return (1 right, 0 wrong, NaN unknown; the instant each was known in microseconds)."""
    bars = len(said.ts_us)
    right, ended = np.full(bars, np.nan), np.full(bars, np.iinfo(np.int64).max)
    if bars > horizon:
        now, then = slice(0, bars - horizon), slice(horizon, bars)
        moved = np.sign(said.close[then] - said.close[now])
        known = (said.session[then] == said.session[now]) & (said.side[now] != 0) & (moved != 0)
        right[now] = np.where(known, moved == said.side[now], np.nan)
        ended[now] = np.where(known, said.ts_us[then] + _MINUTE_US, ended[now])
    return right, ended


def _inputs(said: Said, horizon: int) -> Floats:
    """Return what the bot sees, shape (bars, 9), finite; each row known at the close of its bar."""
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.concatenate([[0.0], np.log(said.close[1:] / said.close[:-1])])
        usual = np.sqrt(_rolling(returns**2, _LONG))
        recent = np.sqrt(_rolling(returns**2, _SHORT))
        drift = [_rolling(returns, bars) * np.sqrt(bars) / usual * said.side for bars in (15, 60)]
        size = np.nan_to_num(said.size)
        columns = [
            said.side.astype(np.float64),
            size / usual,
            size / _rolling(size, _LONG),
            recent / usual,
            _rolling((said.high - said.low) / said.close, 15) / usual,
            *drift,
            said.minute.astype(np.float64),
            _recent_hits(said, horizon),
        ]
    return np.nan_to_num(np.column_stack(columns), nan=0.0, posinf=0.0, neginf=0.0).clip(-1e6, 1e6)


def _recent_hits(said: Said, horizon: int) -> Floats:
    """Return the share of right ones among the last labels that had ended by each bar's close; 0.5 before any."""
    right, _ = _labels(said, horizon)
    # a label is known `horizon` bars later, in the same session: so shifted, row t holds what ended with bar t
    ended = np.concatenate([np.full(horizon, np.nan), right])[: len(right)]
    known = np.isfinite(ended)
    hits, count = np.cumsum(np.where(known, ended, 0.0)), np.cumsum(known)
    at = np.maximum(np.searchsorted(count, count - _RECENT_LABELS + 1, side="left"), 0)
    before_hits = np.where(at > 0, hits[np.maximum(at - 1, 0)], 0.0)
    before_count = np.where(at > 0, count[np.maximum(at - 1, 0)], 0)
    seen = count - before_count
    return np.where(seen > 0, (hits - before_hits) / np.maximum(seen, 1), 0.5)


def _rolling(values: Floats, bars: int) -> Floats:
    """Return the mean of the last `bars` values, of fewer at the start."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - bars, 0)
    return (total[last] - total[first]) / (last - first)
