"""The embedding as a map (lecture part 2's scatter plot): every character, or word, stands at its vector. Pure
functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from tui_mm.dashboard.charts.cells import PLAIN, fit, is_vowel, label, line, paint, rows, style
from tui_mm.dashboard.charts.figure import legend
from tui_mm.dashboard.charts.look import Look

AXES = ((0, 1), (0, 2), (1, 2))
"""The pairs of principal axes that can be looked at."""

_LARGEST = 1e100  # beyond it squares overflow
_NICE = (1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 5.0, 6.0, 8.0, 10.0)
_STRETCH = 3.0  # how much more one direction may be stretched than the other, to use a flat panel
_NUDGE, _NUDGE_WORD = 4, 10  # columns that a character may be moved aside to be seen; or a word
_NAME = 10  # cells of a word at most
_OUTLYING = 6  # at most one character in so many may lie beyond the edges of an axis
_REACH = 0.6  # how far beyond the others, in their extent, a character is still drawn in its place
_WORTH = 0.8  # characters stand at the edge only where that saves more than a fifth of the extent
_LOOSE = 1.8  # limits stay while they are not more than so much too wide; rounding alone makes them 1.55 times
_ARROWS = ("↖↑↗", "← →", "↙↓↘")
_ASCII_ARROWS = ("<^>", "< >", "<v>")

Positions = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Projection:
    """Where characters stand: positions (n, 2), and what share of the variance these two axes have."""

    positions: Positions
    dimensions: int
    share: float


@dataclass(frozen=True)
class Limits:
    """What is drawn of one axis: ``middle`` - ``half`` to ``middle`` + ``half``."""

    middle: float
    half: float

    def holds(self, low: float, high: float) -> bool:
        return self.middle - self.half <= low and high <= self.middle + self.half


def limits(values: NDArray[np.float64], before: Limits | None = None) -> Limits:
    """Round limits that hold the values, or all but the few that would squeeze the others together.

    ``before``, those of the last picture, stay while they do.
    """
    if not len(values):
        return Limits(0.0, 1.0)
    rising = np.sort(values)
    low, high = float(rising[0]), float(rising[-1])
    aside = len(rising) // _OUTLYING
    inner = float(rising[aside]), float(rising[-1 - aside])
    reach = _REACH * (inner[1] - inner[0])
    inner = max(low, inner[0] - reach), min(high, inner[1] + reach)
    few = np.count_nonzero((rising < inner[0]) | (rising > inner[1])) <= aside
    if few and 0 < inner[1] - inner[0] < _WORTH * (high - low):
        low, high = inner
    if before is not None and before.holds(low, high) and _LOOSE * (high - low) >= 2 * before.half:
        return before
    step = _round_up((high - low) / 2) / 4
    middle = round((low + high) / 2 / step) * step
    return Limits(middle, _round_up(max(high - middle, middle - low)))


def usable(vectors: Sequence[Sequence[float | None]]) -> NDArray[np.bool_]:
    """(n,): which vectors are finite; the others have no place."""
    return np.array([all(v is not None and abs(v) < _LARGEST for v in vector) for vector in vectors], dtype=bool)


def project(vectors: NDArray[Any], axes: tuple[int, int] = AXES[0]) -> Projection:
    """Finite vectors (n, d) in two dimensions: as they are up to d = 2, beyond by PCA onto two principal axes.

    The sign of an axis is arbitrary: its entry of greatest size is made positive.
    """
    found = np.asarray(vectors, dtype=np.float64)
    count, dimensions = found.shape
    if dimensions <= 2:
        positions = np.zeros((count, 2))
        positions[:, :dimensions] = found
        return Projection(positions, dimensions, 1.0)
    centred = found - found.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    positions, variance = np.zeros((count, 2)), 0.0
    for column, axis in enumerate(axes):
        if axis < len(s):
            coordinates = u[:, axis] * s[axis]
            sign = 1.0 if coordinates[np.abs(coordinates).argmax()] >= 0 else -1.0
            positions[:, column] = sign * coordinates
            variance += float(s[axis] ** 2)
    total = float((s**2).sum())
    return Projection(positions, dimensions, variance / total if total > 0 else 1.0)


def align(positions: Positions, reference: Positions) -> Positions:
    """(2, 2): the rotation or reflection that brings ``positions`` nearest to ``reference`` (orthogonal Procrustes).

    Principal axes may swap or flip from one frame to the next; the picture must not.
    """
    u, _, vt = np.linalg.svd(positions.T @ reference)
    turn: Positions = u @ vt
    return turn


def embedding_map(
    symbols: Sequence[str],
    positions: Positions,
    notes: Sequence[str],
    look: Look,
    bounds: tuple[Limits, Limits] | None = None,
    *,
    boundary: str = ".",
) -> Text:
    """The characters at their positions with the axes' values at the sides and ``notes`` below.

    ``symbols``: the earlier one, the surer it keeps its own cell; ``boundary`` is marked where it is among them.
    ``bounds``: of both axes; a character beyond them stands at the edge, with an arrow.
    """
    x_axis, y_axis = bounds or (limits(positions[:, 0]), limits(positions[:, 1]))
    y_values = [y_axis.middle + y_axis.half, y_axis.middle, y_axis.middle - y_axis.half]
    y_names = [_number(value) for value in y_values]
    margin = max(map(len, y_names)) + 1
    width = max(4, look.width - margin)
    arrows = [""] * len(positions)
    for _ in range(2):  # a line about arrows makes the map lower
        below = _below(notes, arrows, look)
        height = max(3, look.height - len(below) - 1)
        x_unit, y_unit = _units(x_axis.half, y_axis.half, width, height)
        halves = _seen(x_axis, x_unit, width), _seen(y_axis, y_unit, height)
        arrows = _arrows(positions, Limits(x_axis.middle, halves[0]), Limits(y_axis.middle, halves[1]), look.ascii_only)
    below = _below(notes, arrows, look)
    inside = np.clip(positions - (x_axis.middle, y_axis.middle), np.negative(halves), halves)
    columns = (width - 1) / 2 + inside[:, 0] / x_unit
    lines = (height - 1) / 2 - inside[:, 1] / y_unit
    labels = [label(s, _NAME, ascii_only=look.ascii_only) for s in symbols]
    marks = [_marked(*pair) for pair in zip(labels, arrows, strict=True)]
    has_words = any(len(s) > 1 for s in symbols)
    cells = _place(marks, columns, lines, width, height, apart=has_words)
    field: list[list[tuple[str, Style]]] = [[(" ", PLAIN)] * width for _ in range(height)]
    for symbol, mark, cell in zip(symbols, marks, cells, strict=True):
        if cell is None:
            continue
        y, x = cell
        size = cell_len(mark)
        drawn_as = _style_of(symbol, boundary, look, has_vowels=not has_words)
        field[y][x : x + size] = [(mark, drawn_as), *[("", PLAIN)] * (size - 1)]
    muted = paint(look, "baseline")
    at = {
        round((height - 1) / 2 - (value - y_axis.middle) / y_unit): name
        for value, name in zip(y_values, y_names, strict=True)
    }
    drawn = []
    for y, row in enumerate(field):
        side = ("|" if look.ascii_only else "┤") if y in at else ("|" if look.ascii_only else "│")
        drawn.append(line([(f"{at.get(y, ''):>{margin - 1}}{side}", muted), *row]))
    drawn.append(line([(" " * (margin - 1) + _floor(x_axis, x_unit, width, look.ascii_only), muted)]))
    hidden = sum(cell is None for cell in cells)
    if hidden:
        below[-1] = fit(f"{below[-1]}  {hidden} more lie under others", look.width, ascii_only=look.ascii_only).rstrip()
    return rows([*drawn, *(line([(text, PLAIN)]) for text in below)])


def _below(notes: Sequence[str], arrows: Sequence[str], look: Look) -> list[str]:
    """The notes as lines, with one about the arrows where there are any."""
    said = [*notes, f"{' '.join(sorted({*arrows} - {''}))}: further out that way"] if any(arrows) else notes
    return [fit(text, look.width, ascii_only=look.ascii_only).rstrip() for text in legend(said, look.width).split("\n")]


def _seen(axis: Limits, unit: float, cells: int) -> float:
    """How far the map reaches from an axis' middle: beyond its limits where the other axis is the tighter one."""
    return max(axis.half, (cells // 2 - 1) * unit)


def _arrows(positions: Positions, x_axis: Limits, y_axis: Limits, ascii_only: bool) -> list[str]:
    """Which way each lies beyond the limits; "" for those within."""
    table = _ASCII_ARROWS if ascii_only else _ARROWS
    across, up = (
        np.where(np.abs(v - axis.middle) > axis.half * (1 + 1e-9), np.sign(v - axis.middle), 0).astype(int).tolist()
        for v, axis in ((positions[:, 0], x_axis), (positions[:, 1], y_axis))
    )
    return [table[1 - y][1 + x].strip() for x, y in zip(across, up, strict=True)]


def _marked(shown: str, arrow: str) -> str:
    """The arrow stands on the side that it points to."""
    return arrow + shown if arrow in tuple("←↖↙<") else shown + arrow


def _style_of(symbol: str, boundary: str, look: Look, *, has_vowels: bool) -> Style:
    if symbol == boundary:
        return style(look.color("dev"), bold=True, reverse=True)
    if has_vowels and is_vowel(symbol):
        return style(look.color("train"), bold=True, underline=True)
    return PLAIN


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return power * next((n for n in _NICE if n * power >= value * (1 - 1e-9)), 10.0)


def _units(x_half: float, y_half: float, width: int, height: int) -> tuple[float, float]:
    """What a column and a row measure. A cell is twice as high as wide; the scales may differ by ``_STRETCH``."""
    x_unit = x_half / max(0.5, (width - 2) / 2)
    y_unit = y_half / max(0.5, (height - 1) / 2)
    x_unit = max(x_unit, y_unit / 2 / _STRETCH)
    return x_unit, max(y_unit, 2 * x_unit / _STRETCH)


def _place(
    glyphs: Sequence[str],
    columns: NDArray[np.float64],
    lines: NDArray[np.float64],
    width: int,
    height: int,
    *,
    apart: bool = False,
) -> list[tuple[int, int] | None]:
    """A free cell (row, column) for each, its own or the nearest; None where there is none near. ``apart``: with a
    space between them, since they are words."""
    offsets = _offsets(_NUDGE_WORD if apart else _NUDGE)
    taken: set[tuple[int, int]] = set()
    cells: list[tuple[int, int] | None] = []
    for shown, x, y in zip(glyphs, columns.tolist(), lines.tolist(), strict=True):
        size = cell_len(shown)
        found = None
        for down, aside in offsets:
            row, column = round(y) + down, round(x) + aside
            wanted = [(row, column + i) for i in range(size + apart)]
            if 0 <= row < height and 0 <= column <= width - size and not taken.intersection(wanted):
                taken.update(wanted)
                found = (row, column)
                break
        cells.append(found)
    return cells


@cache
def _offsets(nudge: int) -> list[tuple[int, int]]:
    """Rows and columns to be moved by, the nearest first: a row is twice as high as a column is wide."""
    half = min(3, nudge // 2)
    near = ((dy, dx) for dy in range(-half, half + 1) for dx in range(-nudge, nudge + 1))
    return sorted(near, key=lambda d: (4 * d[0] ** 2 + d[1] ** 2, d))


def _floor(axis: Limits, unit: float, width: int, ascii_only: bool) -> str:
    """The axis below, with its values written into it."""
    marks = [("+" if ascii_only else "└"), *("-" if ascii_only else "─") * width]
    for value in (axis.middle - axis.half, axis.middle, axis.middle + axis.half):
        name = _number(value)
        at = 1 + round((width - 1) / 2 + (value - axis.middle) / unit) - len(name) // 2
        at = min(max(1, at), len(marks) - len(name))
        marks[at : at + len(name)] = name
    return "".join(marks)[: width + 1]


def _number(value: float) -> str:
    return f"{value + 0.0:.3g}"
