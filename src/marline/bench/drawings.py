"""Two drawings as inline SVG, coloured by the page's CSS variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, ROW = 720, 210, 30


@dataclass(frozen=True)
class Bar:
    """A value with its interval."""

    title: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """Points of one curve."""

    title: str
    points: Sequence[tuple[float, float]]


def bars(title: str, rows: Sequence[Bar], mark: float | None = None) -> str:
    """Horizontal bars with intervals, and a line at ``mark``."""
    top = max([r.high for r in rows] + [mark or 0.0]) * 1.05 or 1.0
    scale = (WIDTH - LEFT - 70) / top
    parts = []
    for number, row in enumerate(rows):
        y = 10 + number * ROW
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(row.title)}</text>'
            f'<rect x="{LEFT}" y="{y + 3}" width="{row.value * scale:.1f}" height="16" fill="var(--accent)"/>'
            f'<path d="M{LEFT + row.low * scale:.1f} {y + 11}H{LEFT + row.high * scale:.1f}" stroke="var(--ink)" stroke-width="2"/>'
            f'<text x="{LEFT + row.high * scale + 6:.1f}" y="{y + 15}">{row.value:.3g}</text>'
        )
    height = 20 + len(rows) * ROW
    if mark is not None:
        x = LEFT + mark * scale
        parts.append(f'<path d="M{x:.1f} 4V{height - 8}" stroke="var(--bad)" stroke-dasharray="4 3"/>')
    return _svg(title, height, parts)


def curves(title: str, lines: Sequence[Line], x_title: str, y_title: str) -> str:
    """Lines from 0 to the greatest value on both axes."""
    height, bottom, left, right = 300, 40, 60, 160
    most_x = max(x for line in lines for x, _ in line.points) * 1.02 or 1.0
    most_y = max(y for line in lines for _, y in line.points) * 1.08 or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x / most_x * (WIDTH - left - right), 10 + (1 - y / most_y) * (height - 10 - bottom)

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(share * most_x, share * most_y)
        zero_x, zero_y = place(0, 0)
        parts.append(
            f'<path d="M{zero_x:.1f} {y:.1f}H{WIDTH - right}" stroke="var(--faint)" stroke-opacity="0.3"/>'
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="var(--faint)">{share * most_y:.3g}</text>'
            f'<text x="{x:.1f}" y="{zero_y + 16:.1f}" text-anchor="middle" fill="var(--faint)">{share * most_x:.3g}</text>'
        )
    for number, line in enumerate(lines):
        dash = ("", "6 3", "2 3", "8 3 2 3")[number % 4]
        path = " ".join(f"{'M' if i == 0 else 'L'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(place(*p) for p in line.points))
        end_x, end_y = place(*line.points[-1])
        parts.append(
            f'<path d="{path}" fill="none" stroke="var(--accent)" stroke-width="2" stroke-dasharray="{dash}"/>'
            f'<text x="{end_x + 6:.1f}" y="{end_y + 4:.1f}">{escape(line.title)}</text>'
        )
    parts.append(f'<text x="{(left + WIDTH - right) / 2:.0f}" y="{height - 6}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(f'<text x="14" y="{height / 2:.0f}" transform="rotate(-90 14 {height / 2:.0f})" text-anchor="middle">{escape(y_title)}</text>')
    return _svg(title, height, parts)


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" font-size="13" fill="var(--ink)">'
        f"{''.join(parts)}</svg>"
    )
