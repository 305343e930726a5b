"""Plots as static SVG inside a page, in the page's own colours, light or dark: no script, no font, no network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from markupsafe import Markup, escape

from get_tags_train.core.i18n import interval_text, number

_WIDTH, _HEIGHT = 640, 320
_LEFT, _TOP, _BOTTOM = 44, 14, 44
_LETTER = 6.8  # room for a letter of a name, at the page's 13 pixels
_LINE_OF_TEXT = 17
_ROW = 30
_NAMES = 190  # room for the names of rows, on the left
_NUMBERS = 150  # and for their numbers, on the right
_QUARTERS = (0, 0.25, 0.5, 0.75, 1)


@dataclass(frozen=True)
class Line:
    """One line of `curves`: values at 1, 2, ..., in a style that the page names; intervals as [low, high]."""

    name: str
    style: str
    values: Sequence[float]
    intervals: Sequence[Sequence[float]] | None = None


def curves(lines: Sequence[Line], *, title: str, x_title: str, highest: float | None = None) -> Markup:
    """Lines over 1, 2, ...; the vertical axis begins at 0 and ends at `highest`, or at the highest value."""
    count = max(len(line.values) for line in lines)
    top = highest or _round_up(max(max(line.values) for line in lines))
    names = [f"{line.name} {number(line.values[-1], '.3f')}" for line in lines]
    right = _WIDTH - 12 - _LETTER * max(map(len, names))

    def x(place: int) -> float:
        return _LEFT + (right - _LEFT) * ((place - 1) / (count - 1) if count > 1 else 0.5)

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)

    parts = [_grid(top, y, right)]
    parts += [_text(x(place), _HEIGHT - 26, str(place), "middle") for place in _ticks(count)]
    parts.append(_text((_LEFT + right) / 2, _HEIGHT - 6, x_title, "middle", "axis"))
    for line in lines:
        points = [(x(place), y(value)) for place, value in enumerate(line.values, start=1)]
        drawn = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        if line.intervals:
            parts += [
                _line(f"whisker {line.style}", x(place), x(place), y(low), y(high))
                for place, (low, high) in enumerate(line.intervals, start=1)
            ]
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(line.style, drawn))
        parts += [Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3.2"/>').format(line.style, *p) for p in points]
    places = _apart([y(line.values[-1]) for line in lines])
    parts += [
        _text(right + 12, place + 4, name, "start", f"name {line.style}")
        for line, name, place in zip(lines, names, places, strict=True)
    ]
    return _svg(parts, _HEIGHT, title)


def whiskers(rows: Sequence[tuple[str, float, Sequence[float]]], *, title: str) -> Markup:
    """A row for each (name, value, [low, high]), on an axis from 0 to 1."""
    height, right = _ROW * len(rows) + 30, _WIDTH - _NUMBERS

    def x(value: float) -> float:
        return _NAMES + (right - _NAMES) * value

    parts = []
    for tick in _QUARTERS:
        parts += [
            _line("grid", x(tick), x(tick), 4, height - 22),
            _text(x(tick), height - 6, number(tick, "g"), "middle"),
        ]
    for row, (name, value, (low, high)) in enumerate(rows):
        middle = 4 + _ROW * (row + 0.5)
        parts += [
            _text(_NAMES - 12, middle + 4, name, "end", "name"),
            _line("whisker model", x(low), x(high), middle, middle),
            Markup('<circle class="model" cx="{:.1f}" cy="{:.1f}" r="4.5"/>').format(x(value), middle),
            _text(right + 12, middle + 4, f"{number(value, '.3f')}  ({interval_text(low, high)})", "start"),
        ]
    return _svg(parts, height, title)


def reliability(points: Sequence[tuple[float, float, Sequence[float]]], *, titles: tuple[str, str, str]) -> Markup:
    """(mean score, share true, its [low, high]) on a square from 0 to 1, beside the line where both are the same.

    titles: of the plot, its horizontal and its vertical axis.
    """
    side, left, height = 300.0, 64.0, 300.0 + _TOP + _BOTTOM
    title, x_title, y_title = titles

    def x(value: float) -> float:
        return left + side * value

    def y(value: float) -> float:
        return _TOP + side * (1 - value)

    parts = [_line("grid", x(0), x(1), y(tick), y(tick)) for tick in _QUARTERS]
    parts += [_text(x(0) - 8, y(tick) + 4, number(tick, "g"), "end") for tick in _QUARTERS]
    parts += [_text(x(tick), y(0) + 18, number(tick, "g"), "middle") for tick in _QUARTERS]
    parts.append(_line("line best", x(0), x(1), y(0), y(1)))
    parts += [_line("whisker model", x(score), x(score), y(low), y(high)) for score, _, (low, high) in points]
    drawn = " ".join(f"{x(score):.1f},{y(share):.1f}" for score, share, _ in points)
    parts.append(Markup('<polyline class="line model" points="{}"/>').format(drawn))
    parts += [
        Markup('<circle class="model" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(x(score), y(share))
        for score, share, _ in points
    ]
    parts.append(_text(x(0.5), height - 6, x_title, "middle", "axis"))
    turned = '<text class="axis" transform="translate({:.1f} {:.1f}) rotate(-90)" text-anchor="middle">{}</text>'
    parts.append(Markup(turned).format(left - 46, y(0.5), y_title))
    return _svg(parts, height, title, width=round(left + side) + 16)


def bars(counts: Mapping[str, int], *, title: str) -> Markup:
    """A bar for each name, as long as its count."""
    height, most = 24 * len(counts) + 4, max([*counts.values(), 1])
    right = _WIDTH - 90
    parts = []
    for row, (name, count) in enumerate(counts.items()):
        top = 2 + 24 * row
        bar = '<rect class="model" x="{}" y="{}" width="{:.1f}" height="17" rx="2"/>'
        width = (right - 120) * count / most
        parts += [
            _text(110, top + 13, name, "end", "name"),
            Markup(bar).format(120, top, max(width, 1.5 if count else 0)),
            _text(126 + width, top + 13, number(count), "start"),
        ]
    return _svg(parts, height, title)


def _grid(top: float, y: Callable[[float], float], right: float) -> Markup:
    """Four horizontal lines with their values."""
    lines = Markup("")
    for part in range(5):
        value = top * part / 4
        lines += _line("grid", _LEFT, right, y(value), y(value))
        lines += _text(_LEFT - 8, y(value) + 4, number(value, ".3g"), "end")
    return lines


def _svg(parts: Sequence[Markup], height: float, title: str, *, width: int = _WIDTH) -> Markup:
    """The drawing, as wide as there is room; a window too narrow to read it in scrolls it."""
    widest = 46 * width / _WIDTH
    opening = (
        '<div class="plot"><svg role="img" viewBox="0 0 {} {:.0f}" style="max-width: {:.1f}rem; min-width: {:.1f}rem" '
        'aria-label="{}"><title>{}</title>'
    )
    opened = Markup(opening).format(width, height, widest, widest * 0.65, title, title)
    return opened + Markup("").join(parts) + Markup("</svg></div>")


def _line(style: str, x1: float, x2: float, y1: float, y2: float) -> Markup:
    drawn = '<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>'
    return Markup(drawn).format(style, x1, x2, y1, y2)


def _text(x: float, y: float, text: str, anchor: str, style: str = "tick") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, escape(text)
    )


def _ticks(count: int) -> range:
    """At most ten numbers from 1 to `count`."""
    return range(1, count + 1, ceil(count / 10))


def _round_up(value: float) -> float:
    """The next number that is not less and whose quarters are short: 1, 2, 4 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value * (1 - 1e-9))


def _apart(places: Sequence[float]) -> list[float]:
    """The same places in the same order, moved so far that a line of text fits between any two."""
    order = sorted(range(len(places)), key=lambda n: places[n])
    moved = list(places)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + _LINE_OF_TEXT)
    overflow = max(0.0, max(moved) - (_HEIGHT - _BOTTOM))
    return [place - overflow for place in moved]
