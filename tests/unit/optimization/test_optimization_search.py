"""The space of a batch, how points of it are chosen, and what its trials say together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimization_service.domain.clusters import clusters
from optimization_service.domain.figures import Figures, best_so_far, heatmap, importance, plateaus, usual_axes
from optimization_service.domain.search import Search, Told, is_over, next_trials
from optimization_service.domain.space import Space, axes_of
from shared.contracts.messages import Setting
from shared.errors import InvalidInput

GRID = {
    "threshold": [0.001, 0.002, 0.003, 0.004, 0.005],
    "hold_bars": [0, 5, 10, 15],
    "side": ["long_flat", "long_short"],
}


def space(pairs=1, **axes):
    return Space(pairs, axes_of(axes or GRID))


def told_of(trials, value=float, trades=50):
    return [Told(number=number, point=point, value=value(point), trades=trades) for number, point in trials]


def whole(search, where, value=float, broken=()):
    """Search to the end and return the trials in their order."""
    told = []
    while not is_over(search, where, len(told), 1):
        trials = next_trials(search, where, told, broken)
        if not trials:
            break
        told += told_of(trials, value)
    return told


# the space --------------------------------------------------------------------------------------------------------


@given(pairs=st.integers(1, 5), sizes=st.lists(st.integers(1, 6), min_size=2, max_size=2), data=st.data())
def test_points_and_coordinates_are_the_same_said_twice(pairs, sizes, data):
    where = space(pairs, threshold=[i / 1e4 for i in range(sizes[0])], hold_bars=list(range(sizes[1])))
    point = data.draw(st.integers(0, where.size - 1))
    at = where.coordinates([point])[0].tolist()
    assert where.point(at) == point
    assert where.pair_of(point) == at[0]
    assert where.setting(point) == Setting(threshold=at[1] / 1e4, hold_bars=at[2])


def test_every_point_is_another_setting():
    where = space(2)
    settings_ = [where.setting(point) for point in range(where.settings)]
    assert len(set(map(str, settings_))) == where.settings == 40
    assert [where.pair_of(point) for point in (0, 39, 40, 79)] == [0, 0, 1, 1]


def test_fields_that_go_together_are_one_axis():
    gate = {"regime": "trend", "regime_states": [1]}
    where = space(threshold=[0.001], regime=[None, gate, gate, {"regime": "trend", "regime_states": [0, 2]}])
    assert where.settings == 3
    assert [where.setting(point).regime_states for point in range(3)] == [(), (1,), (0, 2)]
    assert [where.axes[1].label(index) for index in range(3)] == ["off", "trend 1", "trend 0+2"]
    with pytest.raises(InvalidInput, match="regime and regime_states both set regime_states"):
        space(threshold=[0.001], regime=[gate], regime_states=[[1]])


def test_values_are_what_the_setting_makes_of_them():
    assert space(threshold=[1, 1.0, 0.5]).axes[0].values == (0.5, 1.0)
    assert not space(threshold=[0.1], z_limit=[None, 3]).axes[1].ordered
    with pytest.raises(InvalidInput, match="hold_bars = -1"):
        space(hold_bars=[-1])


# the search -------------------------------------------------------------------------------------------------------


def test_an_exhaustive_search_tries_every_point_in_order_and_a_random_one_some_of_them_once():
    where = space(3)
    assert [one.point for one in whole(Search(), where)] == list(range(120))
    drawn = [one.point for one in whole(Search(method="random", trials=50), where)]
    assert len(set(drawn)) == 50
    assert drawn != sorted(drawn)
    assert drawn == [one.point for one in whole(Search(method="random", trials=50), where)]
    assert drawn != [one.point for one in whole(Search(method="random", trials=50, seed=8), where)]
    assert len(whole(Search(method="random", trials=999), where)) == 120


@pytest.mark.parametrize("method", ["exhaustive", "random", "guided"])
def test_a_search_that_was_interrupted_goes_on_where_its_rows_end(method):
    where, search = space(2), Search(method=method, trials=45, round_size=15)
    told = whole(search, where)
    kept = told[:30] if method == "guided" else told[5:25]
    again = list(kept)
    while trials := next_trials(search, where, sorted(again, key=lambda one: one.number), ()):
        again += told_of(trials)
    assert sorted(again, key=lambda one: one.number) == told


def test_a_guided_search_finds_more_than_a_random_one_and_tries_no_point_twice():
    where = space(
        4, threshold=[i / 1e4 for i in range(1, 31)], hold_bars=list(range(0, 60, 5)), delay_bars=[1, 2, 3, 4]
    )
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.2, where.size)

    def value(point):
        pair, threshold, hold, delay = where.coordinates([point])[0].tolist()
        return noise[point] - ((threshold - 20) / 10) ** 2 - ((hold - 3) / 4) ** 2 - delay / 2 + (pair == 2)

    def best_tenth(method):
        found = whole(Search(method=method, trials=150, round_size=25), where, value)
        assert len({one.point for one in found}) == len(found) == 150
        return np.mean(sorted(one.value for one in found)[-15:])

    assert best_tenth("guided") > best_tenth("random") + 0.2


def test_a_guided_search_leaves_broken_pairs_alone_and_ends_when_nothing_is_left():
    where = space(3, threshold=[0.001, 0.002], hold_bars=[0, 5])
    search = Search(method="guided", trials=500, round_size=5)
    told = whole(search, where, broken={1})
    assert sorted(one.point for one in told) == [0, 1, 2, 3, 8, 9, 10, 11]
    assert next_trials(search, where, [], {0, 1, 2}) == []


def test_a_guided_search_does_not_run_after_luck():
    where = space(threshold=[i / 1e4 for i in range(1, 41)], hold_bars=list(range(0, 50, 5)))
    points = np.random.default_rng(2).permutation(where.size)[:150].tolist()

    def asked_among_the_best(trades):
        """The last quarter of the thresholds has by far the best figures, from so many trades each."""
        told = []
        for number, point in enumerate(points):
            threshold = int(where.coordinates([point])[0][1])
            value, made = (9.0, trades) if threshold > 30 else (threshold / 40, 60)
            told.append(Told(number=number, point=point, value=value, trades=made))
        asked = next_trials(Search(method="guided", trials=400, round_size=40), where, told, ())
        return float(np.mean(where.coordinates([point for _, point in asked])[:, 1] > 30))

    assert asked_among_the_best(trades=60) > asked_among_the_best(trades=3) + 0.25


# what the trials say ----------------------------------------------------------------------------------------------


def figures(values, trades=None):
    values = np.array(values, dtype=float)
    counts = np.full(len(values), 50) if trades is None else np.array(trades)
    return Figures(points=np.arange(len(values)), values=values, trades=counts)


def test_a_plateau_holds_and_a_lone_peak_does_not():
    where = space(threshold=[0.001, 0.002, 0.003, 0.004, 0.005])
    said = plateaus(where, figures([1.0, 1.0, 0.9, 0.1, 3.0]))
    assert said.neighbours.tolist() == [1, 2, 2, 2, 1]
    assert said.score[1] == pytest.approx(0.95)
    assert said.score[2] == pytest.approx(0.55 / 0.9)
    assert said.score[3] == 1.0, "it cannot be more than all"
    assert np.isnan(said.score[[0, 4]]).all(), "one neighbour says nothing"


def test_neighbours_of_few_trades_or_without_a_figure_count_as_nothing():
    where = space(threshold=[0.001, 0.002, 0.003])
    assert plateaus(where, figures([5.0, 1.0, np.nan])).score[1] == 1.0
    assert plateaus(where, figures([5.0, 1.0, np.nan], [3, 50, 50])).score[1] == 0.0
    assert np.isnan(plateaus(where, figures([1.0, -1.0, 1.0])).score[1]), "a loss holds nothing"


def test_neighbours_are_of_the_same_pair_and_along_numbers_only():
    where = space(2, threshold=[0.001, 0.002], side=["long_flat", "long_short"])
    said = plateaus(where, figures(np.arange(8) + 1.0))
    assert said.neighbours.tolist() == [1] * 8


@settings(deadline=None)
@given(st.lists(st.one_of(st.just(float("nan")), st.floats(-5, 5)), min_size=40, max_size=40))
def test_plateaus_lie_between_0_and_1_and_best_never_falls(values):
    where = space()
    found = figures(values)
    score = plateaus(where, found).score
    known = score[~np.isnan(score)]
    assert ((known >= 0) & (known <= 1)).all()
    best = best_so_far(found.values)
    assert (np.diff(best[~np.isnan(best)]) >= 0).all()


def test_importance_is_the_share_of_the_variance_that_a_parameter_explains():
    where = space()
    coordinates = where.coordinates(range(where.size))
    found = figures(3.0 * coordinates[:, 2] + 1.0 * coordinates[:, 1])
    shares = dict(importance(where, found))
    assert shares["threshold"] + shares["hold_bars"] + shares["side"] == pytest.approx(1.0), "a sum of main effects"
    by_hand = np.var(coordinates[:, 1]) / np.var(found.values)
    assert shares[where.names[1]] == pytest.approx(by_hand)
    assert importance(where, figures([1.0] * 40)) == []


def test_a_heatmap_is_the_median_or_the_best_over_everything_else():
    where = space(threshold=[0.001, 0.002], hold_bars=[0, 5], side=["long_flat", "long_short"])
    at = {name: index for index, name in enumerate(where.names)}
    coordinates = where.coordinates(range(8))
    values = np.where(coordinates[:, at["side"]] == 1, 10.0, coordinates[:, at["threshold"]])
    found = figures(values)
    median = heatmap(where, found, "hold_bars", "threshold", ["x"])
    assert (median.row_values, median.column_values) == (["0", "5"], ["0.001", "0.002"])
    assert median.cells == [[5.0, 5.5], [5.0, 5.5]]
    assert median.trials == [[2, 2], [2, 2]]
    assert heatmap(where, found, "hold_bars", "threshold", ["x"], median=False).cells == [[10.0] * 2] * 2
    for rows, columns, words in (("beauty", "threshold", "no parameter 'beauty'"), ("side", "side", "both 'side'")):
        with pytest.raises(InvalidInput, match=words):
            heatmap(where, found, rows, columns, ["x"])
    fine = space(threshold=[i / 1e4 for i in range(50)], hold_bars=[0, 5])
    with pytest.raises(InvalidInput, match="at most 40"):
        heatmap(fine, figures(np.ones(100)), "hold_bars", "threshold", ["x"])


def test_a_heatmap_that_nobody_chose_shows_what_decides():
    where = space()
    coordinates = where.coordinates(range(where.size))
    at = {name: index for index, name in enumerate(where.names)}
    values = 3.0 * coordinates[:, at["threshold"]] + coordinates[:, at["hold_bars"]] + 9.0 * coordinates[:, at["side"]]
    ranked = importance(where, figures(values))
    assert ranked[0][0] == "side"
    assert usual_axes(where, ranked) == ("hold_bars", "threshold")
    assert usual_axes(where, ranked, columns="hold_bars") == ("threshold", "hold_bars")
    assert usual_axes(space(threshold=[0.001]), []) == ("pair", "threshold")
    assert usual_axes(space(threshold=[i / 1e4 for i in range(99)]), []) is None, "too many values to read"


def test_clusters_are_good_trials_that_are_neighbours():
    where = space(threshold=[i / 1e3 for i in range(1, 11)], hold_bars=list(range(0, 50, 5)))
    values = np.full(100, -1.0)
    values[[44, 45, 54, 55]] = [2.0, 2.1, 2.2, 2.3]
    values[[0, 9, 90]] = 5.0  # better, but alone
    [found] = clusters(where, figures(values))
    assert (found.trials, found.best, found.median) == (4, 2.3, pytest.approx(2.15))
    assert found.where == {"threshold": "0.005, 0.006", "hold_bars": "20, 25"}
    assert clusters(where, figures(np.full(100, -1.0))) == []
    assert clusters(where, figures(values, np.full(100, 5))) == [], "all of them of five trades"
