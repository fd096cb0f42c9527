"""Layered drawing of a directed acyclic graph, left to right: lineage, pipelines. Pure.

1. A node's layer is the longest path to it from a root.
2. An edge over several layers gets an invisible stop in each layer between, which takes its place in the order.
3. Sweeps to and fro sort each layer by the mean position of its neighbours, which removes most crossings.
4. Each layer's heights come as near to their neighbours' mean as order and spacing allow (isotonic regression).
5. Edges run level through their stops and bend only between layers: none ever runs through a box.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.errors import InvalidInput

BOX_HEIGHT = 38.0
GAP = 10.0  # between two boxes of a layer
STOP_HEIGHT = 6.0  # room an edge takes where it passes a layer
COLUMN_GAP = 48.0
PADDING = 6.0
SWEEPS = 8
_CHARACTER = 6.9  # width of a character of the widest system font at 11 px, bold


@dataclass(frozen=True, kw_only=True)
class Node:
    """A box: two short lines of text, a look (see parts.css), and where it leads."""

    id: str
    title: str
    subtitle: str = ""
    look: str = ""
    url: str = ""


@dataclass(frozen=True)
class Box:
    """Where a node is drawn, by its upper left corner."""

    node: Node
    x: float
    y: float


@dataclass(frozen=True)
class Edge:
    """A drawn edge."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """A laid out graph in pixels."""

    width: float
    height: float
    box_width: float
    box_height: float
    boxes: list[Box]
    edges: list[Edge]


#: a box's id, or (edge number, layer) of a stop
_Place = Hashable


def layout(nodes: Sequence[Node], edges: Iterable[tuple[str, str]]) -> Drawing:
    """Lay out `nodes` with `edges` (from, to); edges that name an unknown node are left out.

    Raises
    ------
    InvalidInput
        The graph has a cycle.
    """
    ids = {node.id for node in nodes}
    kept = [edge for edge in dict.fromkeys(edges) if edge[0] in ids and edge[1] in ids]
    layer_of = _layers([node.id for node in nodes], kept)
    layers, chains = _with_stops([node.id for node in nodes], kept, layer_of)
    before, after = _neighbours(chains)
    _order(layers, before, after)
    centre = _heights(layers, before, after)
    text = max((len(line) for node in nodes for line in (node.title, node.subtitle)), default=0)
    box_width = max(124.0, round(text * _CHARACTER + 18))
    left = [PADDING + index * (box_width + COLUMN_GAP) for index in range(len(layers))]
    boxes = [Box(node, left[layer_of[node.id]], round(centre[node.id] - BOX_HEIGHT / 2, 1)) for node in nodes]
    drawn = [
        Edge(source, target, _path(chain, layer_of[source], centre, left, box_width))
        for (source, target), chain in zip(kept, chains, strict=True)
    ]
    return Drawing(
        width=(left[-1] if left else 0) + box_width + PADDING,
        height=max((y + _size(place) / 2 for place, y in centre.items()), default=0.0) + PADDING,
        box_width=box_width,
        box_height=BOX_HEIGHT,
        boxes=boxes,
        edges=drawn,
    )


def _layers(ids: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    open_parents = dict.fromkeys(ids, 0)
    children: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        open_parents[target] += 1
        children[source].append(target)
    layer = {name: 0 for name in ids if not open_parents[name]}
    ready = list(layer)
    for name in ready:  # grows while it is walked
        for child in children[name]:
            layer[child] = max(layer.get(child, 0), layer[name] + 1)
            open_parents[child] -= 1
            if not open_parents[child]:
                ready.append(child)
    if len(ready) < len(ids):
        raise InvalidInput(f"the graph has a cycle through {', '.join(sorted(set(ids) - set(ready))[:5])}")
    return layer


def _with_stops(
    ids: Sequence[str], edges: Sequence[tuple[str, str]], layer_of: Mapping[str, int]
) -> tuple[list[list[_Place]], list[list[_Place]]]:
    layers: list[list[_Place]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for name in ids:
        layers[layer_of[name]].append(name)
    chains: list[list[_Place]] = []
    for index, (source, target) in enumerate(edges):
        stops: list[_Place] = [(index, layer) for layer in range(layer_of[source] + 1, layer_of[target])]
        for offset, stop in enumerate(stops, start=layer_of[source] + 1):
            layers[offset].append(stop)
        chains.append([source, *stops, target])
    return layers, chains


_Links = Mapping[_Place, list[_Place]]


def _neighbours(chains: Iterable[Sequence[_Place]]) -> tuple[_Links, _Links]:
    before: dict[_Place, list[_Place]] = defaultdict(list)
    after: dict[_Place, list[_Place]] = defaultdict(list)
    for chain in chains:
        for left, right in pairwise(chain):
            after[left].append(right)
            before[right].append(left)
    return before, after


def _order(layers: list[list[_Place]], before: _Links, after: _Links) -> None:
    """Sort each layer in place by the mean position of its neighbours."""
    position = {place: float(index) for layer in layers for index, place in enumerate(layer)}
    for sweep in range(SWEEPS):
        links = before if sweep % 2 == 0 else after
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            mean = {place: _mean(links.get(place, ()), position, position[place]) for place in layer}
            layer.sort(key=mean.__getitem__)
            position.update((place, float(index)) for index, place in enumerate(layer))


def _mean(places: Sequence[_Place], position: Mapping[_Place, float], otherwise: float) -> float:
    return sum(position[place] for place in places) / len(places) if places else otherwise


def _size(place: _Place) -> float:
    return BOX_HEIGHT if isinstance(place, str) else STOP_HEIGHT


def _heights(layers: Sequence[Sequence[_Place]], before: _Links, after: _Links) -> dict[_Place, float]:
    """Vertical centre of every box and stop."""
    centre: dict[_Place, float] = {}
    for layer in layers:
        y = 0.0
        for place in layer:
            centre[place] = y + _size(place) / 2
            y += _size(place) + GAP
    for sweep in range(SWEEPS):
        links = before if sweep % 2 == 0 else after
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [_mean(links.get(place, ()), centre, centre[place]) for place in layer]
            centre.update(zip(layer, _spaced(wanted, [_size(place) for place in layer]), strict=True))
    top = min((y - _size(place) / 2 for place, y in centre.items()), default=0.0)
    return {place: round(y - top + PADDING, 1) for place, y in centre.items()}


def _spaced(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Return the centres nearest to `wanted` (least squares) that keep the order and do not touch.

    With the needed distances subtracted the condition is only "not falling", so pooling adjacent violators solves it.
    """
    offsets = [0.0]
    for upper, lower in pairwise(sizes):
        offsets.append(offsets[-1] + (upper + lower) / 2 + GAP)
    pools: list[tuple[float, int]] = []  # (mean, members)
    for target, offset in zip(wanted, offsets, strict=False):
        mean, members = target - offset, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean = (mean * members + other * others) / (members + others)
            members += others
        pools.append((mean, members))
    flat = [mean for mean, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=False)]


def _path(
    chain: Sequence[_Place], layer: int, centre: Mapping[_Place, float], left: Sequence[float], box_width: float
) -> str:
    x, y = left[layer] + box_width, centre[chain[0]]
    parts = [f"M{x:g} {y:g}"]
    for step, place in enumerate(chain[1:], start=layer + 1):
        middle, y_next = x + COLUMN_GAP / 2, centre[place]
        parts.append(f"C{middle:g} {y:g} {middle:g} {y_next:g} {left[step]:g} {y_next:g}")
        x, y = left[step], y_next
        if step < layer + len(chain) - 1:
            x += box_width
            parts.append(f"H{x:g}")
    return "".join(parts)
