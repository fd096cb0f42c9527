"""Plots as coordinates: ticks, scales, paths, bars, heat classes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web import charts
from shared.web.formats import number

finite = st.floats(-1e9, 1e9, allow_nan=False)


@given(finite, st.floats(1e-3, 1e6))
def test_ticks_are_round_rising_and_inside(low, width):
    high = low + width
    found = charts.ticks(low, high)
    assert 2 <= len(found) <= 11
    assert found == sorted(set(found))
    room = max(width, abs(low), abs(high)) * 1e-9
    assert low - room <= found[0]
    assert found[-1] <= high + room


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 1.25, ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25"]),
        (-1, 1, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
        (0, 5_000, ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]),
        (0, 0.01, ["0.000", "0.002", "0.004", "0.006", "0.008", "0.010"]),
    ],
)
def test_tick_labels_have_the_decimals_they_need(low, high, labels):
    at = charts.ticks(low, high)
    assert [number(value, charts.tick_digits(at)) for value in at] == labels


@given(st.lists(st.one_of(st.none(), finite, st.just(math.nan)), max_size=30))
def test_extent_is_never_empty_and_holds_every_value(values):
    low, high = charts.extent(values)
    assert low < high or math.isclose(low, high)
    assert all(low <= value <= high for value in charts.finite(values))


def test_line_breaks_where_a_value_is_missing():
    assert charts.path([(0, 0), (1, 1), None, (2, 2), (3, 3)]) == "M0 0L1 1M2 2L3 3"
    assert charts.path([(0, 0), (1, 5)], steps=True) == "M0 0H1V5"


@pytest.mark.parametrize("values", [[], [1.0], [None, math.nan, 2.0]])
def test_sparkline_of_fewer_than_two_values_is_nothing(values):
    assert charts.sparkline(values) == ""


def test_sparkline_rises_with_its_values():
    assert charts.sparkline([0, 1], width=100, height=20) == "M1 18L99 2"
    assert "nan" not in charts.sparkline([1, None, 1, math.nan, 1])


def test_plot_places_marks_on_its_scales():
    made = charts.plot(
        [
            charts.Points(xs=[0, 1], ys=[0, 1], lows=[0, 0.5], highs=[0.5, None], label="observed"),
            charts.Dots(xs=[0.5, None], ys=[0.5, 0.1]),
        ],
        x_domain=(0, 1),
        y_domain=(0, 1),
        x_label="p",
    )
    first, second = made.marks
    assert (first.x, first.y) == (made.left, made.bottom)
    assert (second.x, second.y) == (made.right, made.top)
    assert first.high == (made.top + made.bottom) / 2
    assert second.high == second.y  # no upper bound given
    assert made.dots == [("s1", f"M{(made.left + made.right) / 2:g} {(made.top + made.bottom) / 2:g}h0")]
    assert [tip[2] for tip in json.loads(made.tips)] == ["observed 0.0 at p 0.0", "observed 1.0 at p 1.0"]
    assert made.legend == [("s1", "observed")]


@given(st.lists(st.tuples(st.one_of(st.none(), finite), st.one_of(st.none(), finite)), max_size=20))
def test_plot_draws_any_data_without_odd_numbers(pairs):
    made = charts.plot([charts.Line(xs=[x for x, _ in pairs], ys=[y for _, y in pairs])])
    text = f"{made}"
    assert "nan" not in text
    assert "inf" not in text


def test_tip_tells_more_decimals_than_the_axis():
    made = charts.plot([charts.Line(xs=[1, 500], ys=[0.1234, 0.9])], x_label="trial", y_label="Sharpe")
    assert [tip[2] for tip in json.loads(made.tips)] == ["Sharpe 0.123 at trial 1", "Sharpe 0.9 at trial 500"]


def test_layer_with_a_value_too_few_is_refused():
    with pytest.raises(ValueError, match="2 xs but 1 ys"):
        charts.plot([charts.Line(xs=[1, 2], ys=[1])])


def test_bars_share_one_scale_that_holds_zero():
    up, down = charts.bars([("a", 3.0), ("b", -1.0)])
    assert (up.start, up.length) == (25.0, 75.0)
    assert (down.start, down.length) == (0.0, 25.0)
    assert charts.bars([("zero", 0.0)])[0].length == 0
    assert charts.bars([("odd", math.nan)]) == []


def test_heatmap_ramps_around_its_centre_and_outlines_the_best():
    cells = charts.heatmap([[-2.0, 0.0, 1.0], [None, 2.0, math.nan]])
    assert [[cell.tone for cell in row] for row in cells] == [["hn5", "h0", "hp2"], ["", "hp5", ""]]
    assert [[cell.best for cell in row] for row in cells] == [[False] * 3, [False, True, False]]
    assert charts.heatmap([[None]])[0][0].tone == ""
    assert not charts.heatmap([[1.0]], mark=False)[0][0].best
    assert charts.heat_class(0.5, centre=0.5, reach=1.0) == "h0"
