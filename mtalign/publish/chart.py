"""One small picture for the card: how sure the projections are, as a bar chart in SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 480, 200, 10, 30, 24


def histogram(counts: Mapping[int, int], title: str) -> str:
    """Return the text of an SVG file: ten bars over 0 to 1, where 0 is [0, 0.1) and 9 is [0.9, 1]."""
    step = (_WIDTH - 2 * _LEFT) / 10
    room = _HEIGHT - _TOP - _BOTTOM
    title = escape(title)
    highest = max(counts.values(), default=0) or 1
    bars = []
    for place in range(10):
        count = counts.get(place, 0)
        height = round(room * count / highest, 1)
        x, y = round(_LEFT + place * step, 1), round(_HEIGHT - _BOTTOM - height, 1)
        middle = round(x + step / 2, 1)
        bars.append(
            f'<rect x="{x + 2}" y="{y}" width="{step - 4:.1f}" height="{height}" fill="#3b6ea5"/>'
            f'<text x="{middle}" y="{y - 3}">{count:,}</text>'
            f'<text x="{middle}" y="{_HEIGHT - 8}">{place / 10:.1f}–{(place + 1) / 10:.1f}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-family="sans-serif" font-size="10" '
        f'text-anchor="middle" fill="#222">\n<title>{title}</title>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<text x="{_WIDTH / 2}" y="14" font-size="12">{title}</text>\n' + "\n".join(bars) + "\n</svg>\n"
    )
