"""Graphs are drawn without a box on a box or an edge through a box."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.web.dag_layout import Drawing, Node, layout


def draw(size: int, edges: list[tuple[int, int]]) -> Drawing:
    return layout([Node(id=f"n{i}", title=f"n{i}") for i in range(size)], [(f"n{a}", f"n{b}") for a, b in edges])


@st.composite
def graphs(draw_from):
    size = draw_from(st.integers(1, 25))
    pairs = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(lambda pair: pair[0] < pair[1])
    return size, draw_from(st.lists(pairs, max_size=40)) if size > 1 else []


def level_runs(path: str):
    """(x from, x to, y) of the level parts of an edge: where it passes a column of boxes."""
    x = y = 0.0
    for command, text in re.findall(r"([MCH])([^MCH]*)", path):
        numbers = [float(number) for number in text.split()]
        if command == "H":
            yield x, numbers[0], y
            x = numbers[0]
        else:
            x, y = numbers[-2:]


@given(graphs())
@settings(deadline=None)
def test_nothing_touches(graph):
    size, edges = graph
    drawing = draw(size, edges)
    boxes = [(box.x, box.y) for box in drawing.boxes]
    for index, (x, y) in enumerate(boxes):
        assert 0 <= x <= drawing.width - drawing.box_width
        assert 0 <= y <= drawing.height - drawing.box_height
        for other_x, other_y in boxes[:index]:
            assert x != other_x or abs(y - other_y) >= drawing.box_height + 9.8
    for edge in drawing.edges:
        for start, end, y in level_runs(edge.path):
            assert 0 <= y <= drawing.height
            through = [
                b
                for b in boxes
                if b[0] < end and b[0] + drawing.box_width > start and b[1] < y < b[1] + drawing.box_height
            ]
            assert not through


@given(graphs())
@settings(deadline=None)
def test_edges_run_from_left_to_right_between_their_boxes(graph):
    size, edges = graph
    drawing = draw(size, edges)
    place = {box.node.id: box for box in drawing.boxes}
    assert len(drawing.edges) == len(set(edges))
    for edge in drawing.edges:
        source, target = place[edge.source], place[edge.target]
        assert source.x < target.x
        assert edge.path.startswith(f"M{source.x + drawing.box_width:g} ")
        assert float(edge.path.split()[-2]) == target.x


def test_a_chain_is_level_and_children_stand_around_their_parent():
    chain = draw(3, [(0, 1), (1, 2)])
    assert len({box.y for box in chain.boxes}) == 1
    fan = draw(3, [(0, 1), (0, 2)])
    parent, upper, lower = (box.y for box in fan.boxes)
    assert upper < parent < lower
    assert parent == pytest.approx((upper + lower) / 2, abs=0.2)


def test_drawing_is_the_same_each_time():
    edges = [(i // 2, i) for i in range(1, 20)]
    assert draw(20, edges) == draw(20, edges)


def test_cycle_is_refused_and_unknown_ends_are_left_out():
    with pytest.raises(InvalidInput, match="cycle through n0, n1"):
        draw(2, [(0, 1), (1, 0)])
    assert layout([Node(id="a", title="a")], [("a", "gone")]).edges == []
    assert layout([], []).boxes == []


def test_sixty_models_are_laid_out_quickly():
    edges = [((i - 1) // 2, i) for i in range(1, 60)] + [(i, i + 15) for i in range(0, 45, 3)]
    began = time.perf_counter()
    drawing = draw(60, edges)
    assert time.perf_counter() - began < 1
    assert len(drawing.boxes) == 60
