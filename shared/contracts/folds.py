"""Walk-forward folds in sessions, purged and embargoed.

    |<-------- train_days -------->| purge, embargo |<- test_days ->|
                                                    |<-- next: train ends here, so it never looks back

* Train always lies before its test block; test blocks follow each other without overlap.
* Purge: a training row goes when its label is known only after the test block's first minute.
* Embargo: between the end of the last training label and the test block lie at least `embargo_bars` minutes of
  regular hours, so that features that average over the border share less with the test block.
* What remains after the last full test block is a shorter last block when it is at least half of `test_days` long,
  and is left out of the folds otherwise (the frozen model still trains on it).

After Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.contracts.messages import Folds
from shared.contracts.sessions import MINUTE_US, Int64Array, Sessions
from shared.errors import InvalidInput


@dataclass(frozen=True)
class Fold:
    """Rows of one fold, as indices into the arrays the folds were cut from.

    train : rows to fit on, all with a label
    test : every row of the test block, with or without a label
    purged : labelled rows of the training sessions dropped because their label reaches into the test block
    embargoed : labelled rows dropped on top of those
    train_sessions, test_sessions : [first, last] as ISO dates
    """

    number: int
    train: Int64Array
    test: Int64Array
    purged: int
    embargoed: int
    train_sessions: tuple[str, str]
    test_sessions: tuple[str, str]


def walk_forward(
    ts_us: Int64Array, label_end_us: Int64Array, labelled: np.ndarray, sessions: Sessions, spec: Folds
) -> list[Fold]:
    """Return the folds of the rows, oldest first.

    ts_us : bar starts, ascending, all inside `sessions`
    label_end_us : instant each row's label is known
    labelled : bool, whether the row has a label
    sessions : the sessions of the training window; blocks are counted in those that hold a row

    Raises InvalidInput when the rows hold too few sessions for one fold.
    """
    row_session = sessions.index_of(ts_us)
    present = np.unique(row_session)
    blocks = _test_blocks(len(present), spec)
    if not blocks:
        raise InvalidInput(
            f"{len(present)} sessions with bars are too few for one fold: train_days {spec.train_days} + half of "
            f"test_days {spec.test_days} are needed; widen the training window or ask for smaller folds"
        )
    dates = [str(day) for day in sessions.date[present]]
    folds = list[Fold]()
    for number, (begin, end) in enumerate(blocks):
        oldest = 0 if spec.anchored else begin - spec.train_days
        test_start_us = int(sessions.open_us[present[begin]])
        candidates = labelled & (row_session >= present[oldest]) & (row_session < present[begin])
        unpurged = candidates & (label_end_us <= test_start_us)
        clear = minutes_before(label_end_us, test_start_us, sessions) >= spec.embargo_bars
        train = unpurged & clear
        test = (row_session >= present[begin]) & (row_session <= present[end - 1])
        folds.append(
            Fold(
                number=number,
                train=np.flatnonzero(train),
                test=np.flatnonzero(test),
                purged=int(candidates.sum() - unpurged.sum()),
                embargoed=int(unpurged.sum() - train.sum()),
                train_sessions=(dates[oldest], dates[begin - 1]),
                test_sessions=(dates[begin], dates[end - 1]),
            )
        )
    return folds


def minutes_before(instant_us: Int64Array, later_us: int, sessions: Sessions) -> Int64Array:
    """Return how many minutes of regular hours lie between each instant and `later_us`; negative when after it."""
    return _elapsed(np.array([later_us]), sessions)[0] - _elapsed(instant_us, sessions)


def _elapsed(instant_us: Int64Array, sessions: Sessions) -> Int64Array:
    """Return the minutes of regular hours from the first session's open up to each instant."""
    lengths = sessions.minutes
    before = np.cumsum(lengths) - lengths
    row = np.maximum(np.searchsorted(sessions.open_us, instant_us, side="right") - 1, 0)
    into = np.clip((instant_us - sessions.open_us[row]) // MINUTE_US, 0, lengths[row])
    return before[row] + into


def _test_blocks(sessions: int, spec: Folds) -> list[tuple[int, int]]:
    """Return [begin, end) of each test block in sessions."""
    blocks = list[tuple[int, int]]()
    for begin in range(spec.train_days, sessions, spec.test_days):
        end = min(begin + spec.test_days, sessions)
        if 2 * (end - begin) >= spec.test_days:
            blocks.append((begin, end))
    return blocks
