"""Level of detail: never too many, nothing lost, sessions never mixed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from shared.contracts.candles import MAX_BARS, Candles, condense
from shared.contracts.sessions import MINUTE_US, all_sessions, sessions_between


def us(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000


def walk(ts_us: np.ndarray, seed: int = 1) -> Candles:
    rng = np.random.default_rng(seed)
    close = 100 + np.cumsum(rng.standard_normal(len(ts_us))) * 0.01
    opening = np.roll(close, 1)
    return Candles(
        ts_us=ts_us,
        open=opening,
        high=np.maximum(opening, close) + 0.01,
        low=np.minimum(opening, close) - 0.01,
        close=close,
        volume=rng.integers(1, 100, len(ts_us)).astype(float),
    )


REGULAR = sessions_between(us(2023, 1, 1), us(2025, 1, 1)).expected_minutes()
NON_STOP = us(2024, 1, 1) + np.arange(20_000) * MINUTE_US
LONG = sessions_between(us(1995, 1, 1), us(2025, 1, 1)).open_us


@pytest.mark.parametrize(
    "stamps", [REGULAR, REGULAR[::7], NON_STOP, LONG], ids=["regular", "sparse", "24x7", "30 years"]
)
@pytest.mark.parametrize("wanted", [1, 100, 2_500])
def test_no_more_than_wanted_and_nothing_lost(stamps, wanted):
    bars = walk(stamps)
    found = condense(bars, wanted)
    assert 1 <= len(found) <= wanted
    assert (np.diff(found.ts_us) > 0).all()
    assert np.isin(found.ts_us, bars.ts_us).all()
    assert (found.open[0], found.close[-1]) == (bars.open[0], bars.close[-1])
    assert (found.high.max(), found.low.min()) == (bars.high.max(), bars.low.min())
    assert found.volume.sum() == bars.volume.sum()


def test_every_group_is_what_its_bars_say():
    bars = walk(REGULAR[:5_000])
    found = condense(bars, 600)
    ends = np.append(found.ts_us[1:], bars.ts_us[-1] + 1)
    for i, (start, end) in enumerate(zip(found.ts_us, ends, strict=True)):
        inside = (bars.ts_us >= start) & (bars.ts_us < end)
        assert found.open[i] == bars.open[inside][0]
        assert found.close[i] == bars.close[inside][-1]
        assert found.high[i] == bars.high[inside].max()
        assert found.low[i] == bars.low[inside].min()
        assert found.volume[i] == bars.volume[inside].sum()


def test_groups_begin_at_the_open_and_stay_in_their_session():
    found = condense(walk(REGULAR), 600)  # one a session: 502
    assert np.array_equal(found.ts_us, sessions_between(us(2023, 1, 1), us(2025, 1, 1)).open_us)
    half_hours = condense(walk(REGULAR), 7_000)
    minute = all_sessions().minute_of(half_hours.ts_us)
    assert set(minute % 30) == {0}


def test_without_sessions_a_days_group_is_a_day():
    days = condense(walk(NON_STOP), 20, always_open=True)
    assert (days.ts_us - days.ts_us[0]).tolist() == [day * 1_440 * MINUTE_US for day in range(14)]
    hours = condense(walk(NON_STOP), 700, always_open=True)
    assert set(np.diff(hours.ts_us) // MINUTE_US) == {30}


def test_few_bars_are_left_alone():
    bars = walk(REGULAR[:MAX_BARS])
    assert condense(bars) is bars
    assert len(condense(walk(REGULAR[:0]))) == 0


@pytest.mark.parametrize(
    ("stamps", "length", "wanted", "said"),
    [
        (REGULAR[:2_000], "1m", 2_500, "1m"),
        (REGULAR, "1m", 7_000, "30m"),
        (REGULAR, "1m", 600, "1d"),
        (REGULAR, "1m", 101, "5d"),
        (LONG, "1d", 2_500, "4d"),
        (LONG[::5], "1w", 800, "2w"),
        (REGULAR[::60], "1h", 2_500, "1d"),  # 65 minutes hold no whole number of hours
        (REGULAR[::5], "5m", 7_000, "30m"),
    ],
)
def test_candles_say_how_long_they_are(stamps, length, wanted, said):
    assert condense(replace(walk(stamps), length=length), wanted).length == said


def test_bars_around_sessions_do_not_make_joined_days_longer():
    opens = sessions_between(us(2024, 1, 1), us(2025, 1, 1)).open_us
    around = np.sort(np.concatenate([opens - 60 * MINUTE_US, opens, opens + 400 * MINUTE_US]))
    assert condense(walk(around), len(opens) // 4).length == "4d"
