"""Where every mark of the loss chart stands, and what plotext is given to draw them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.dashboard.charts.axis import loss_ticks, scaled, x_ticks
from tui_mm.dashboard.charts.look import Look

if TYPE_CHECKING:
    from tui_mm.dashboard.charts.loss import Curve, LossPicture

MARGIN = 5  # cells for the names of the y ticks
_LETTER_EVERY = 14  # cells between the letters on another run's curve
_Points = list[tuple[int, int]]


@dataclass(frozen=True)
class Signs:
    """What is drawn with what."""

    curve: str
    band: str
    dev: str
    best: str
    level: str
    cursor: str
    counted: str  # of the run itself
    other_counted: str

    @classmethod
    def of(cls, look: Look) -> Signs:
        return cls("*", ":", "o", "@", "-", "|", "=", "_") if look.ascii_only else cls(*"⠒░◆★┄│━─")


def letter_of(n: int) -> str:
    """By which the n-th of the other runs is known."""
    return "ABCDE"[n % 5]


def color_of(look: Look, n: int) -> Any:
    return None if look.colors is None else look.colors.overlays[n % len(look.colors.overlays)]


class Canvas:
    """Places every mark on a grid of ``width`` by ``rows`` character cells, row 0 at the bottom, and gives plotext as
    few points as will do: it takes 10 us for each."""

    def __init__(self, picture: LossPicture, look: Look, width: int, rows: int) -> None:
        self.picture, self.look = picture, look
        self.width, self.rows = width, max(2, rows)
        self.fine = (1, 1) if look.ascii_only else (2, 4)  # points in a cell
        self.signs = Signs.of(look)
        self.taken = np.zeros((self.width, self.rows), bool)

    # -- from losses and places to cells

    def _row(self, losses: NDArray[Any], parts: int = 1) -> NDArray[np.float64]:
        """Rows of ``parts`` to a cell; NaN stays, and what is off the axis is off the grid."""
        low, high = self.picture.losses
        share = (scaled(np.asarray(losses, np.float64), log=self.picture.log) - low) / (high - low)
        return np.floor(0.5 + share * (self.rows * parts - 1))

    def _row_of(self, loss: float) -> int | None:
        """The row of one loss, if it is on the axis."""
        row = float(self._row(np.array([loss]))[0])
        return int(row) if 0 <= row < self.rows else None

    def _cell(self, x: float) -> int | None:
        """The cell of a place on the x axis: a step stands where it ends."""
        low, high = self.picture.window
        cell = int(np.ceil((x - low) / (high - low) * self.width - 1e-9)) - 1
        if x == low == 0:
            return 0
        return cell if 0 <= cell < self.width else None

    def _points(self, curve: Curve) -> list[_Points]:
        """The curve of the means in fine points, as unbroken stretches: broken where nothing is finite."""
        across, up = self.fine
        rows, bad = self._row(curve.columns.mean, up).tolist(), curve.columns.bad.tolist()
        top = self.rows * up - 1
        stretches: list[_Points] = [[]]
        for i, row in enumerate(rows):
            if row != row:  # nothing finite
                if bad[i] and stretches[-1]:
                    stretches.append([])
            elif -0.5 * top <= row <= 1.5 * top:
                stretches[-1].append((i * across // 2, min(top, max(0, int(row)))))
            elif stretches[-1]:
                stretches.append([])
        return [list(_joined(stretch)) for stretch in stretches if stretch]

    # -- drawing

    def draw(self, plt: Any) -> None:
        plt.xaxes(True, False)
        plt.yaxes(True, False)
        plt.xlim(0, 1)
        plt.ylim(0, 1)
        self._ticks(plt)
        look, run = self.look, self.picture.run
        self._scatter(plt, [(0, 0)], " ", None)  # without a point there is no canvas
        cursor = None if self.picture.cursor is None else self._cell(self.picture.cursor)
        if cursor is not None:
            self._scatter(plt, [(cursor, r) for r in range(self.rows)], self.signs.cursor, look.color("cursor"))
        for n, other in enumerate(self.picture.others):
            self._other(plt, n, other)
        if run is not None and run.level is not None:
            self._level(plt, run.level[1], range(self.width), self.signs.counted, look.color("train"))
        elif run is not None:
            self._curve(plt, run, look.color("train"), self.signs.curve)
        for n, other in enumerate(self.picture.others):  # over all curves: they tell whose those are
            self._letters(plt, n, other)
        if run is not None and run.level is None:
            best = self._at([run.best] if run.best is not None else [])
            dev = self._at(run.dev, beyond=True)
            self._scatter(plt, [(cell, 0) for cell, row in dev if row < 0], "v", look.color("dev"))
            self._scatter(plt, [(c, self.rows - 1) for c, row in dev if row >= self.rows], "^", look.color("dev"))
            dev = [(cell, row) for cell, row in dev if 0 <= row < self.rows]
            self._scatter(plt, _apart(dev, best), self.signs.dev, look.color("dev"))
            self._scatter(plt, best, self.signs.best, look.color("best"))
            self._edges(plt, run)
        self._levels(plt)
        if run is not None and run.level is None:
            self._band(plt, run)

    def _ticks(self, plt: Any) -> None:
        low, high = self.picture.window
        ticks = x_ticks(self.picture.axis, self.picture.window, max(2, self.width // 12))
        at = [(min(self.width - 1, max(0, (self._cell(x) or 0))), name) for x, name in ticks if low <= x <= high]
        plt.xticks([cell / (self.width - 1) for cell, _ in at], [name for _, name in at])
        low, high = self.picture.losses
        rows = {
            round((y - low) / (high - low) * (self.rows - 1)): name
            for y, name in loss_ticks(self.picture.losses, max(2, self.rows // 3), log=self.picture.log, width=MARGIN)
        }
        names = [f"{name:>{MARGIN}}" for name in rows.values()]
        plt.yticks([row / (self.rows - 1) for row in rows], names or None)

    def _curve(self, plt: Any, curve: Curve, color: Any, sign: str) -> None:
        for points in self._points(curve):
            if self.look.ascii_only:
                self._scatter(plt, points, sign, color)
            elif len(points) > 1:
                self._scatter(plt, points, "braille", color)
            else:  # a dot alone is lost on the screen
                self._scatter(plt, [(points[0][0] // 2, points[0][1] // 4)], "•", color)

    def _other(self, plt: Any, n: int, other: Curve) -> None:
        """Its curve; the line of a level comes with the baselines."""
        color = color_of(self.look, n)
        if other.level is not None:
            return
        if self.picture.parts != "dev":
            self._curve(plt, other, color, ".")
        elif len(dev := self._at(other.dev)) > 1:
            self._line(plt, dev, color)

    def _letters(self, plt: Any, n: int, other: Curve) -> None:
        color, letter = color_of(self.look, n), letter_of(n)
        if other.level is not None:
            where = range((2 * n + 1) % _LETTER_EVERY, self.width, _LETTER_EVERY)
            self._level(plt, other.level[1], where, letter, color)
            return
        if self.picture.parts != "dev":
            across, up = self.fine
            at = {x // across: y // up for points in self._points(other) for x, y in points}
            every = 4 if self.look.ascii_only else _LETTER_EVERY
            letters = [(x, y) for i, (x, y) in enumerate(sorted(at.items())) if i % every == (2 * n + 1) % every]
            small = letter if self.picture.parts == "train" else letter.lower()
            self._scatter(plt, letters or list(at.items())[:1], small, color)
        if self.picture.parts != "train":
            self._scatter(plt, _apart(self._at(other.dev), []), letter, color)

    def _level(self, plt: Any, loss: float, where: range, sign: str, color: Any) -> None:
        """The sign in these cells of a loss's row, over what is there."""
        row = self._row_of(loss)
        self._scatter(plt, [] if row is None else [(cell, row) for cell in where], sign, color)

    def _line(self, plt: Any, at: _Points, color: Any) -> None:
        """Through the middles of these cells."""
        across, up = self.fine
        fine = [(across * x + across // 2, up * y + up // 2) for x, y in at]
        self._scatter(plt, list(_joined(fine)), "." if self.look.ascii_only else "braille", color)

    def _at(self, points: Sequence[tuple[float, float]], *, beyond: bool = False) -> _Points:
        """The cells of finite (x, loss) in the window; those off the y axis only if ``beyond`` is wanted."""
        rows = self._row(np.array([loss for _, loss in points], np.float64)).tolist()
        found = [(self._cell(x), row) for (x, _), row in zip(points, rows, strict=True) if math.isfinite(row)]
        return [(cell, int(row)) for cell, row in found if cell is not None and (beyond or 0 <= row < self.rows)]

    def _edges(self, plt: Any, run: Curve) -> None:
        """Marks of what is not finite, or off the axis."""
        low, high, some, bad = self._extent(run)
        for where, row, sign, name in (
            (some & (low < 0), 0, "v", "train"),
            (some & (high >= self.rows), self.rows - 1, "^", "train"),
            (bad, self.rows - 1, "!", "warning"),
        ):
            self._scatter(plt, [(int(cell), row) for cell in np.flatnonzero(where)], sign, self.look.color(name))

    def _extent(self, run: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any], NDArray[Any]]:
        """Per cell: the rows of its least and greatest, whether it has any, and whether something is not finite."""
        c = run.columns
        least, greatest, bad = (a.reshape(-1, 2) for a in (c.low, c.high, c.bad))
        low = self._row(np.fmin(least[:, 0], least[:, 1]))
        high = self._row(np.fmax(greatest[:, 0], greatest[:, 1]))
        return low, high, np.isfinite(low), np.logical_or(bad[:, 0], bad[:, 1])

    # Texts: cheap for plotext, but it puts them over all points, so they leave out what is taken.

    def _levels(self, plt: Any) -> None:
        others, muted = self.picture.others, self.look.color("baseline")
        levels: list[tuple[float, str, Any]] = [
            (other.level[1], self.signs.other_counted, color_of(self.look, n))
            for n, other in enumerate(others)
            if other.level is not None
        ]
        for loss, sign, color in [*levels, *((loss, self.signs.level, muted) for _, loss in self.picture.baselines)]:
            row = self._row_of(loss)
            if row is not None:
                self._text(plt, sign, ~self.taken[:, row], row, color)
                self.taken[:, row] = True

    def _band(self, plt: Any, run: Curve) -> None:
        low, high, some, _ = self._extent(run)
        for row in range(self.rows):
            band = some & (low <= row) & (row <= high) & ~self.taken[:, row]
            self._text(plt, self.signs.band, band, row, self.look.color("band"))

    def _text(self, plt: Any, sign: str, where: NDArray[np.bool_], row: int, color: Any) -> None:
        """The sign in every cell of a row ``where`` it is to stand."""
        edges = np.flatnonzero(np.diff(np.concatenate(([False], where, [False])))).tolist()
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            at = begin / (self.width - 1), row / (self.rows - 1)
            plt.text(sign * (end - begin), *at, color=color, alignment="left")

    def _scatter(self, plt: Any, points: _Points, marker: str, color: Any) -> None:
        if not points:
            return
        across, up = self.fine if marker == "braille" else (1, 1)
        right, top = self.width * across - 1, self.rows * up - 1
        xs, ys = zip(*points, strict=True)
        if marker != " ":
            self.taken[np.array(xs) // across, np.array(ys) // up] = True
        plt.scatter([x / right for x in xs], [y / top for y in ys], marker=marker, color=color)


def _joined(points: _Points) -> Iterator[tuple[int, int]]:
    """With what lies between neighbours: a line of points without holes."""
    yield points[0]
    for (x, y), (to_x, to_y) in pairwise(points):
        count = max(abs(to_x - x), abs(to_y - y))
        for i in range(1, count + 1):
            yield x + round(i * (to_x - x) / count), y + round(i * (to_y - y) / count)


def _apart(points: _Points, others: _Points) -> _Points:
    """Those that stand at least three cells from the last one kept, and not beside ``others``."""
    kept: _Points = []
    beside = {cell + near for cell, _ in others for near in (-1, 0, 1)}
    for cell, row in points:
        if cell not in beside and (not kept or cell - kept[-1][0] >= 3):
            kept.append((cell, row))
    return kept
