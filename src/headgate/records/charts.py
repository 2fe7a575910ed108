"""Charts as SVG inside a page: bars over days, and lengths beside names; colours are the page's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 960, 220
LEFT, RIGHT, BELOW, ABOVE = 64, 20, 24, 10
LINES = 4
"""Steps of the scale at most."""


class Bar(NamedTuple):
    """`name` stands below, `told` where the pointer is; `kind` is a class of the page: "is", "will", "bad"."""

    name: str
    value: float
    told: str
    kind: str = "is"


def bars(several: Sequence[Bar], label: str, unit: str = "") -> str:
    """Over a scale that begins at nothing; names as far as there is room."""
    step = _step(max((bar.value for bar in several), default=0))
    top = step * max(1, -(-max((bar.value for bar in several), default=0) // step))
    room, height = (WIDTH - LEFT - RIGHT) / max(len(several), 1), HEIGHT - ABOVE - BELOW
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for number in range(round(top / step) + 1):
        y = ABOVE + height * (1 - number * step / top)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="scale" x="{LEFT - 8}" y="{y + 4:.1f}">{escape(unit)}{_number(number * step)}</text>'
        )
    every = max(1, -(-len(several) // 16))
    wide = min(room * 0.72, 40)
    for number, bar in enumerate(several):
        x, tall = LEFT + room * (number + 0.5), height * bar.value / top
        y = ABOVE + height - tall
        corner = min(3.0, tall / 2, wide / 2)
        parts.append(
            f'<g class="bar {bar.kind}"><title>{escape(bar.told)}</title>'
            f'<rect class="touch" x="{x - room / 2:.1f}" y="{ABOVE}" width="{room:.1f}" height="{height}"/>'
            f'<path d="{_rounded(x - wide / 2, y, wide, tall, corner)}"/></g>'
        )
        if number % every == 0:
            parts.append(f'<text class="name" x="{x:.1f}" y="{HEIGHT - 6}">{escape(bar.name)}</text>')
    return "".join([*parts, "</svg>"])


def length(share: float) -> str:
    """A bar as long as a share from 0 to 1 of the room beside a name."""
    return f'<span class="length"><span style="width:{min(max(share, 0), 1) * 100:.1f}%"></span></span>'


def _rounded(x: float, y: float, wide: float, tall: float, corner: float) -> str:
    """A bar that is round above and stands flat on its base."""
    right, base = x + wide, y + tall
    return (
        f"M{x:.1f} {base:.1f}V{y + corner:.1f}Q{x:.1f} {y:.1f} {x + corner:.1f} {y:.1f}H{right - corner:.1f}"
        f"Q{right:.1f} {y:.1f} {right:.1f} {y + corner:.1f}V{base:.1f}Z"
    )


def _step(most: float) -> float:
    """Between two lines of the scale: 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 1
    size: float = 10.0 ** len(str(int(most)))
    while size > most / LINES:
        size /= 10
    return next(size * times for times in (1, 2, 5, 10) if size * times * LINES >= most)


def _number(value: float) -> str:
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{mark}"
    return f"{value:.6g}"
