"""Plots drawn on the server: numbers in, SVG coordinates out. Pure; `plots.html` has the macros that draw them.

    plot([Line(xs, ys, label="best so far"), Dots(xs, values)], x_label="trial", y_label="Sharpe")

Missing values are None or NaN: a line breaks there, other marks leave them out. A plot of nothing but missing
values is a frame without marks. Coordinates are pixels of the SVG's own view box, rounded to 0.1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from shared.web.formats import number

Value = float | None
Format = Callable[[float], str]

#: room for tick labels and axis titles around the drawing: left, top, right, bottom
MARGINS = (52.0, 10.0, 16.0, 38.0)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Marks at (xs, ys); `tone` is a CSS class of parts.css: s1, bench, hit, s4, s5."""

    xs: Sequence[Value]
    ys: Sequence[Value]
    label: str = ""
    tone: str = "s1"


@dataclass(frozen=True, kw_only=True)
class Line(Layer):
    """A line through the points, in their order; `steps` holds each value until the next point."""

    steps: bool = False


@dataclass(frozen=True, kw_only=True)
class Dots(Layer):
    """Many small dots, drawn as one path: thousands cost little."""


@dataclass(frozen=True, kw_only=True)
class Points(Layer):
    """Few marked points, joined, each with an interval [lows, highs] when given (as in a calibration plot)."""

    lows: Sequence[Value] = ()
    highs: Sequence[Value] = ()


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A marked point and its interval (equal to `y` when it has none)."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Plot:
    """Everything a template needs to draw; `tips` is JSON of [x, y, text]."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[tuple[str, str]] = field(default_factory=list)  # (class, path)
    dots: list[tuple[str, str]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)  # (class, label)
    tips: str = "[]"


def present(value: Value) -> bool:
    """Whether there is a finite value."""
    return value is not None and math.isfinite(value)


def finite(values: Iterable[Value]) -> list[float]:
    """Only the finite values."""
    return [value for value in values if value is not None and math.isfinite(value)]


def extent(values: Iterable[Value], *, pad: float = 0.0) -> tuple[float, float]:
    """Smallest and largest finite value, widened by `pad` of their distance; never of zero width."""
    known = finite(values)
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if low == high:
        room = abs(low) * 0.05 or 1.0
        return low - room, high + room
    return low - (high - low) * pad, high + (high - low) * pad


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten) inside [low, high], about so many."""
    if not high > low:
        return [low]
    raw = (high - low) / max(1, about)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) + 0.0 for index in range(first, last + 1)]


def tick_digits(values: Sequence[float]) -> int:
    """How many decimals the ticks' step needs."""
    step = min((abs(b - a) for a, b in pairwise(values)), default=1.0)
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return digits if round(step, digits) == round(step, 10) else digits + 1


def _tip_text(digits: int) -> Format:
    """Two decimals more than the ticks have, unless the value needs none of them."""
    return lambda value: number(value, digits if round(value, digits) == value else digits + 2)


def scale(domain: tuple[float, float], pixels: tuple[float, float]) -> Callable[[float], float]:
    """Linear map of `domain` onto `pixels`, rounded to a tenth of a pixel."""
    (low, high), (start, end) = domain, pixels
    return lambda value: round(start + (value - low) / (high - low) * (end - start), 1)


def path(points: Iterable[tuple[float, float] | None], *, steps: bool = False) -> str:
    """SVG path through the points; None lifts the pen."""
    parts: list[str] = []
    down = False
    for point in points:
        if point is None:
            down = False
            continue
        x, y = point
        if not down:
            parts.append(f"M{x:g} {y:g}")
        else:
            parts.append(f"H{x:g}V{y:g}" if steps else f"L{x:g} {y:g}")
        down = True
    return "".join(parts)


def sparkline(values: Sequence[Value], width: float = 120, height: float = 24) -> str:
    """Path of a word-sized line; "" for fewer than two values."""
    if len(finite(values)) < 2:
        return ""
    x = scale((0, max(1, len(values) - 1)), (1, width - 1))
    y = scale(extent(values), (height - 2, 2))
    return path((x(i), y(v)) if v is not None and math.isfinite(v) else None for i, v in enumerate(values))


def plot(
    layers: Sequence[Layer],
    *,
    x_label: str = "",
    y_label: str = "",
    x_domain: tuple[float, float] | None = None,
    y_domain: tuple[float, float] | None = None,
    x_format: Format | None = None,
    y_format: Format | None = None,
    size: tuple[float, float] = (560, 300),
) -> Plot:
    """Lay out a plot with axes. A domain left out is that of the data.

    Raises
    ------
    ValueError
        A layer's xs and ys differ in length.
    """
    for layer in layers:
        if len(layer.xs) != len(layer.ys):
            raise ValueError(f"layer {layer.label!r} has {len(layer.xs)} xs but {len(layer.ys)} ys: give one y each x")
    width, height = size
    left, top, right, bottom = MARGINS[0], MARGINS[1], width - MARGINS[2], height - MARGINS[3]
    x_domain = x_domain or extent(value for layer in layers for value in layer.xs)
    y_domain = y_domain or extent((value for layer in layers for value in _heights(layer)), pad=0.05)
    x, y = scale(x_domain, (left, right)), scale(y_domain, (bottom, top))
    x_at, y_at = ticks(*x_domain), ticks(*y_domain)
    x_digits, y_digits = tick_digits(x_at), tick_digits(y_at)
    x_text = x_format or (lambda value: number(value, x_digits))
    y_text = y_format or (lambda value: number(value, y_digits))
    x_tip, y_tip = x_format or _tip_text(x_digits), y_format or _tip_text(y_digits)
    made = Plot(
        *(width, height, left, top, right, bottom),
        x_label,
        y_label,
        [Tick(x(value), x_text(value)) for value in x_at],
        [Tick(y(value), y_text(value)) for value in y_at],
    )
    tips: list[tuple[float, float, str]] = []
    for layer in layers:
        _draw(made, layer, x, y)
        if not isinstance(layer, Dots):
            tips += [
                (x(a), y(b), f"{layer.label or y_label} {y_tip(b)} at {x_label} {x_tip(a)}")
                for a, b in zip(layer.xs, layer.ys, strict=True)
                if a is not None and b is not None and present(a) and present(b)
            ]
    return Plot(**{**vars(made), "tips": json.dumps(tips, ensure_ascii=False)})


def _heights(layer: Layer) -> list[Value]:
    whiskers = [*layer.lows, *layer.highs] if isinstance(layer, Points) else []
    return [*layer.ys, *whiskers]


def _draw(made: Plot, layer: Layer, x: Callable[[float], float], y: Callable[[float], float]) -> None:
    pairs = [
        (x(a), y(b)) if a is not None and b is not None and present(a) and present(b) else None
        for a, b in zip(layer.xs, layer.ys, strict=True)
    ]
    if isinstance(layer, Dots):
        made.dots.append((layer.tone, "".join(f"M{p[0]:g} {p[1]:g}h0" for p in pairs if p)))
    else:
        made.lines.append((layer.tone, path(pairs, steps=isinstance(layer, Line) and layer.steps)))
    if isinstance(layer, Points):
        for index, pair in enumerate(pairs):
            if pair:
                low, high = _bound(layer.lows, index, pair[1], y), _bound(layer.highs, index, pair[1], y)
                made.marks.append(Mark(*pair, low, high))
    if layer.label:
        made.legend.append((layer.tone, layer.label))


def _bound(bounds: Sequence[Value], index: int, fallback: float, y: Callable[[float], float]) -> float:
    value = bounds[index] if index < len(bounds) else None
    return fallback if value is None or not math.isfinite(value) else y(value)


@dataclass(frozen=True)
class Bar:
    """One horizontal bar in percent of the widest: starts at `start`, `length` long."""

    label: str
    value: float
    start: float
    length: float


def bars(items: Sequence[tuple[str, float]]) -> list[Bar]:
    """Horizontal bars on one scale that holds zero; negative ones reach left of it."""
    known = [(label, value) for label, value in items if math.isfinite(value)]
    low, high = min([0.0, *(v for _, v in known)]), max([0.0, *(v for _, v in known)])
    share = scale((low, high), (0, 100)) if high > low else lambda _: 0.0
    return [
        Bar(label, value, min(share(0), share(value)), round(abs(share(value) - share(0)), 1)) for label, value in known
    ]


@dataclass(frozen=True)
class Cell:
    """One cell of a heatmap: its CSS class (hn5 … h0 … hp5, "" when missing) and whether it is the best."""

    value: Value
    tone: str
    best: bool


def heatmap(values: Sequence[Sequence[Value]], *, centre: float = 0.0, mark: bool = True) -> list[list[Cell]]:
    """Cells on a diverging ramp of 11 steps around `centre`; `mark`: the largest finite value is the best."""
    known = finite(value for row in values for value in row)
    reach = max((abs(value - centre) for value in known), default=0.0) or 1.0
    best = max(known, default=None) if mark else None
    return [
        [Cell(value, heat_class(value, centre, reach), present(value) and value == best) for value in row]
        for row in values
    ]


def heat_class(value: Value, centre: float, reach: float) -> str:
    """CSS class of one value: the ramp ends at `centre` ± `reach`."""
    if value is None or not math.isfinite(value):
        return ""
    step = max(-5, min(5, round((value - centre) / reach * 5)))
    return "h0" if step == 0 else f"h{'p' if step > 0 else 'n'}{abs(step)}"
