"""A chart over time as inline SVG: axes, lines and marks, with colours that are variables of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from marline.rollout.history import say

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 22, 30
# width of a moment's name
NAME = 44
# most labels on an axis
TICKS = 6
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
Point = tuple[float, float]


@dataclass
class Chart:
    """A drawing that grows; coordinates are seconds and the axis' own values.

    Attributes:
        title: what a screen reader says of it.
        seconds: the end of the time axis, which begins at 0.
        low: lower end of the other axis; more than 0 where it is logarithmic.
        high: its upper end.
        log: whether it is logarithmic.
        parts: its elements so far.
        named: where the last name of a moment stands, in pixels.
    """

    title: str
    seconds: float
    low: float
    high: float
    log: bool = False
    parts: list[str] = field(default_factory=list)
    named: float = -math.inf

    def x(self, seconds: float) -> float:
        """Pixels from the left."""
        share = min(max(seconds / self.seconds, 0.0), 1.0)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top; what is beyond an end of the axis lies on it."""
        low, inside, high = self.low, min(max(value, self.low), self.high), self.high
        if self.log:
            low, inside, high = math.log(low), math.log(inside), math.log(high)
        share = (inside - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self, labels: Sequence[tuple[float, str]]) -> None:
        """Both axes with their grid: the given values, and fitting times."""
        for value, label in labels:
            height = self.y(value)
            self.parts.append(
                f'<path class="grid" d="M{LEFT} {height:.1f}H{WIDTH - RIGHT}"/>'
                f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{escape(label)}</text>'
            )
        for seconds in times(self.seconds):
            across = self.x(seconds)
            self.parts.append(
                f'<path class="axis" d="M{across:.1f} {HEIGHT - BOTTOM}v4"/>'
                f'<text x="{across:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{clock(seconds)}</text>'
            )
        self.parts.append(f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')

    def line(self, kind: str, points: Sequence[Point]) -> None:
        """A line through points, a dot where there is only one; ``kind`` is a class of the page's style."""
        if len(points) == 1:
            across, height = self.x(points[0][0]), self.y(points[0][1])
            self.parts.append(f'<circle class="dot {kind}" cx="{across:.1f}" cy="{height:.1f}" r="2.5"/>')
        elif points:
            path = "L".join(f"{self.x(seconds):.1f} {self.y(value):.1f}" for seconds, value in points)
            self.parts.append(f'<path class="line {kind}" d="M{path}"/>')

    def area(self, kind: str, points: Sequence[Point]) -> None:
        """The area under a line."""
        if len(points) > 1:
            path = "L".join(f"{self.x(seconds):.1f} {self.y(value):.1f}" for seconds, value in points)
            ground = self.y(self.low)
            ends = f"L{self.x(points[-1][0]):.1f} {ground:.1f}L{self.x(points[0][0]):.1f} {ground:.1f}Z"
            self.parts.append(f'<path class="area {kind}" d="M{path}{ends}"/>')

    def level(self, kind: str, value: float, label: str) -> None:
        """A line at one value over the whole time, with its name above its left end."""
        height = self.y(value)
        self.parts.append(
            f'<path class="line {kind}" d="M{LEFT} {height:.1f}H{WIDTH - RIGHT}"/>'
            f'<text class="{kind}" x="{LEFT + 4}" y="{height - 5:.1f}">{escape(label)}</text>'
        )

    def mark(self, seconds: float, label: str) -> None:
        """A moment, with its name at the top; a name that would cover the one before it is left out."""
        across = self.x(seconds)
        # near the right end there is room to the left only
        side, anchor = (-4, "end") if across > WIDTH - 60 else (4, "start")
        self.parts.append(f'<path class="mark" d="M{across:.1f} {TOP - 8}V{HEIGHT - BOTTOM}"/>')
        if across - self.named >= NAME:
            self.named = across
            self.parts.append(
                f'<text x="{across + side:.1f}" y="{TOP - 10}" text-anchor="{anchor}">{escape(label)}</text>'
            )

    def drawing(self) -> str:
        """The ``<svg>`` element."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">\n'
            + "\n".join(self.parts)
            + "\n</svg>"
        )


def times(seconds: float) -> list[float]:
    """Round moments from 0 to the end, a handful of them."""
    step = next((s for s in _STEPS if seconds / s <= TICKS), math.ceil(seconds / TICKS / _STEPS[-1]) * _STEPS[-1])
    return [float(step * index) for index in range(int(seconds / step) + 1)]


def clock(seconds: float) -> str:
    """Minutes and seconds since the start, hours where there are some."""
    whole = round(seconds)
    minutes = f"{whole // 60 % 60:02d}:{whole % 60:02d}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{minutes}" if whole >= 3600 else minutes


def powers(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten between two values, a handful of them, with their names."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, math.ceil((last - first + 1) / TICKS))
    return [(10.0**n, f"{10**n}" if -3 < n < 6 and n >= 0 else f"{10.0**n:g}") for n in range(first, last + 1, every)]


def rounds(high: float, metric: str) -> list[tuple[float, str]]:
    """Round values from 0 up to one, with the metric's unit."""
    rough = high / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 2.5, 5, 10) if power * n >= rough * 0.999)
    return [(step * n, say.value(metric, step * n)) for n in range(int(high / step + 1e-9) + 1)]
