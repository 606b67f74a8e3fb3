"""The loss chart: train as a band with its mean, dev at each evaluation, baselines, and other runs over it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.dashboard.charts.axis import Range, loss_range, loss_ticks, scaled, x_ticks
from tui_mm.dashboard.charts.figure import LEAST_HEIGHT, Part, legend_lines, plot
from tui_mm.dashboard.charts.look import Look
from tui_mm.runs.series import Axis, Columns, LossSeries
from tui_mm.text import nats

_MARGIN = 5  # cells for the names of the y ticks
_AXIS = {"steps": "step", "epochs": "epoch", "seconds": "time"}
_LETTER_EVERY = 14  # cells between the letters on another run's curve
Points = list[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Curve:
    """One run's losses in a window: two columns to each of ``cells(look)`` character cells."""

    label: str
    columns: Columns
    dev: Sequence[tuple[float, float]] = ()  # (x, loss)
    best: tuple[float, float] | None = None  # one of these
    first_bad: tuple[int, float] | None = None  # the step whose loss was not finite, and that loss


@dataclass(frozen=True, eq=False)
class LossPicture:
    """What is to be drawn over ``window`` of an axis. ``losses`` is the y axis, as it stands there."""

    axis: Axis
    window: Range
    losses: Range
    log: bool = True
    run: Curve | None = None
    others: Sequence[Curve] = ()
    baselines: Sequence[tuple[str, float]] = ()
    cursor: float | None = None
    says: Sequence[Part] = ()  # what stands above the legend: the values at the cursor


def cells(look: Look) -> int:
    """How many character cells the x axis of a loss chart has."""
    return max(2, look.width - _MARGIN - 1)


def column_edges(window: Range, look: Look) -> NDArray[np.float64]:
    """The places on the x axis between the columns of a curve, (2 cells + 1,)."""
    return np.linspace(*window, 2 * cells(look) + 1)


def loss_curve(
    series: LossSeries, dev: Sequence[tuple[int, float]], baselines: Sequence[tuple[str, float]], look: Look
) -> str:
    """All of a finished run over its steps, on a log axis; ``dev``: (step, loss)."""
    window = (0.0, float(max(2, series.steps)))
    best = min((point for point in dev if point[1] == point[1]), key=lambda point: point[1], default=None)
    run = Curve("train", series.columns(column_edges(window, look)), dev, best, series.first_bad)
    losses = range_of(run, (), baselines, log=True, whole=True)
    return loss_chart(LossPicture("steps", window, losses, run=run, baselines=baselines), look)


def range_of(
    run: Curve | None, others: Sequence[Curve], baselines: Sequence[tuple[str, float]], *, log: bool, whole: bool
) -> Range:
    """The y axis that shows these well; baselines need not be on it where only a part of the run is."""
    curves = [*([run] if run else []), *others]
    low = [c.columns.low if c is run else c.columns.mean for c in curves]
    high = [c.columns.high if c is run else c.columns.mean for c in curves]
    dev = np.array([loss for c in curves for _, loss in c.dev], np.float64)
    must = np.array([loss for _, loss in baselines] if whole else [], np.float64)
    columns = [np.concatenate([*part, dev]) for part in (low, high)]
    # a loss of 0 has no place on a log axis: it is left to the mark at the edge
    below, above, inside = (scaled(np.where(a > 0, a, np.nan) if log else a, log=log) for a in (*columns, must))
    return loss_range(below, above, inside)


def loss_chart(picture: LossPicture, look: Look) -> str:
    """In ``look.height`` lines. Columns with a loss that is not finite have a ``!`` at the top edge, those with one
    above or below the axis a ``^`` or ``v`` at the edge."""
    most = max(0, min(look.height - LEAST_HEIGHT, (2 if picture.says else 1) + look.height // 6))
    below = legend_lines(picture.says, look.width, min(most, max(1, most - 1)))
    below += legend_lines(_parts(picture, look), look.width, most - len(below), color=look.colors is not None)
    height = max(LEAST_HEIGHT, look.height - len(below))
    canvas = _Canvas(picture, look, height - 2)
    width = max(look.width, _MARGIN + 3)
    text = plot(canvas.draw, width, height, color=look.colors is not None, ascii_only=look.ascii_only)
    lines = text.split("\n")
    if lines[-1].startswith(" " * (_MARGIN + 1)):  # the axis is named where its first tick leaves room
        lines[-1] = f"{_AXIS[picture.axis]:>{_MARGIN}}{lines[-1][_MARGIN:]}"
    return "\n".join([*lines, *below])


def _parts(picture: LossPicture, look: Look) -> list[Part]:
    signs = _Signs.of(look)
    run = picture.run
    parts = list[Part]()
    if run is not None:
        parts.append((signs.curve, f"{run.label} mean", look.color("train")))
        parts.append((signs.band, "min to max", look.color("band")))
        if run.dev:
            parts.append((signs.dev, "dev", look.color("dev")))
        if run.best is not None:
            parts.append((signs.best, f"best {nats(run.best[1])}", look.color("best")))
        if run.first_bad is not None:
            step, loss = run.first_bad
            parts.append(("!", f"{loss:g}: not finite from step {step:,}", look.color("warning")))
        if edges := _edges_passed(run, picture):
            parts.append((edges, "beyond the axis", look.color("dev")))
    for n, other in enumerate(picture.others):
        ends = "" if other.first_bad is None else f", not finite from step {other.first_bad[0]:,}"
        parts.append((_letter(n), f"{other.label}{ends}", _other_color(look, n)))
    low, high = picture.losses
    for name, loss in picture.baselines:
        at = float(scaled(np.array([loss]), log=picture.log)[0])
        beyond = " (above)" if at > high else " (below)" if at < low else ""
        parts.append((signs.level, f"{name} {loss:.3f}{beyond}", look.color("baseline")))
    parts.append(f"{'log' if picture.log else 'linear'} scale over {picture.axis}")
    return parts


def _edges_passed(run: Curve, picture: LossPicture) -> str:
    """``^``, ``v``, both or neither: where something of the run in the window lies off the loss axis."""
    low, high = picture.losses
    begin, end = picture.window
    dev = np.array([loss for x, loss in run.dev if begin <= x <= end], np.float64)
    shown = scaled(np.concatenate((dev, run.columns.low, run.columns.high)), log=picture.log)
    finite = shown[np.isfinite(shown)]
    return " ".join(sign for sign, any_of in (("^", finite > high), ("v", finite < low)) if any_of.any())


@dataclass(frozen=True)
class _Signs:
    curve: str
    band: str
    dev: str
    best: str
    level: str
    cursor: str

    @classmethod
    def of(cls, look: Look) -> _Signs:
        return cls("*", ":", "o", "@", "-", "|") if look.ascii_only else cls("⠒", "░", "◆", "★", "┄", "│")


def _letter(n: int) -> str:
    return "ABCDE"[n % 5]


def _other_color(look: Look, n: int) -> Any:
    return None if look.colors is None else look.colors.overlays[n % len(look.colors.overlays)]


class _Canvas:
    """Places every mark on a grid of ``width`` by ``rows`` character cells, row 0 at the bottom, and gives plotext as
    few points as will do: it takes 10 us for each."""

    def __init__(self, picture: LossPicture, look: Look, rows: int) -> None:
        self.picture, self.look = picture, look
        self.width, self.rows = cells(look), max(2, rows)
        self.fine = (1, 1) if look.ascii_only else (2, 4)  # points in a cell
        self.signs = _Signs.of(look)
        self.taken = np.zeros((self.width, self.rows), bool)

    # -- from losses and places to cells

    def _row(self, losses: NDArray[Any], parts: int = 1) -> NDArray[np.float64]:
        """Rows of ``parts`` to a cell; NaN stays, and what is off the axis is off the grid."""
        low, high = self.picture.losses
        share = (scaled(np.asarray(losses, np.float64), log=self.picture.log) - low) / (high - low)
        return np.floor(0.5 + share * (self.rows * parts - 1))

    def _cell(self, x: float) -> int | None:
        """The cell of a place on the x axis: a step stands where it ends."""
        low, high = self.picture.window
        cell = int(np.ceil((x - low) / (high - low) * self.width - 1e-9)) - 1
        if x == low == 0:
            return 0
        return cell if 0 <= cell < self.width else None

    def _points(self, curve: Curve) -> list[Points]:
        """The curve of the means in fine points, as unbroken stretches: broken where nothing is finite."""
        across, up = self.fine
        rows, bad = self._row(curve.columns.mean, up).tolist(), curve.columns.bad.tolist()
        top = self.rows * up - 1
        stretches: list[Points] = [[]]
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
        if run is not None:
            self._curve(plt, run, look.color("train"), self.signs.curve)
            best = self._at([run.best] if run.best is not None else [])
            dev = self._at(run.dev, beyond=True)
            self._scatter(plt, [(cell, 0) for cell, row in dev if row < 0], "v", look.color("dev"))
            self._scatter(plt, [(c, self.rows - 1) for c, row in dev if row >= self.rows], "^", look.color("dev"))
            dev = [(cell, row) for cell, row in dev if 0 <= row < self.rows]
            self._scatter(plt, _apart(dev, best), self.signs.dev, look.color("dev"))
            self._scatter(plt, best, self.signs.best, look.color("best"))
            self._edges(plt, run)
        self._levels(plt)
        if run is not None:
            self._band(plt, run)

    def _ticks(self, plt: Any) -> None:
        low, high = self.picture.window
        ticks = x_ticks(self.picture.axis, self.picture.window, max(2, self.width // 12))
        at = [(min(self.width - 1, max(0, (self._cell(x) or 0))), name) for x, name in ticks if low <= x <= high]
        plt.xticks([cell / (self.width - 1) for cell, _ in at], [name for _, name in at])
        low, high = self.picture.losses
        rows = {
            round((y - low) / (high - low) * (self.rows - 1)): name
            for y, name in loss_ticks(self.picture.losses, max(2, self.rows // 3), log=self.picture.log, width=_MARGIN)
        }
        names = [f"{name:>{_MARGIN}}" for name in rows.values()]
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
        color = _other_color(self.look, n)
        self._curve(plt, other, color, ".")
        across, up = self.fine
        at = {x // across: y // up for points in self._points(other) for x, y in points}
        every = 4 if self.look.ascii_only else _LETTER_EVERY
        letters = [(x, y) for i, (x, y) in enumerate(sorted(at.items())) if i % every == (2 * n + 1) % every]
        self._scatter(plt, letters or list(at.items())[:1], _letter(n), color)

    def _at(self, points: Sequence[tuple[float, float]], *, beyond: bool = False) -> Points:
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
        for _, loss in self.picture.baselines:
            row = float(self._row(np.array([loss]))[0])
            if 0 <= row < self.rows:
                self._text(plt, self.signs.level, ~self.taken[:, int(row)], int(row), "baseline")
                self.taken[:, int(row)] = True

    def _band(self, plt: Any, run: Curve) -> None:
        low, high, some, _ = self._extent(run)
        for row in range(self.rows):
            band = some & (low <= row) & (row <= high) & ~self.taken[:, row]
            self._text(plt, self.signs.band, band, row, "band")

    def _text(self, plt: Any, sign: str, where: NDArray[np.bool_], row: int, color: str) -> None:
        """The sign in every cell of a row ``where`` it is to stand."""
        edges = np.flatnonzero(np.diff(np.concatenate(([False], where, [False])))).tolist()
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            at = begin / (self.width - 1), row / (self.rows - 1)
            plt.text(sign * (end - begin), *at, color=self.look.color(color), alignment="left")

    def _scatter(self, plt: Any, points: Points, marker: str, color: Any) -> None:
        if not points:
            return
        across, up = self.fine if marker == "braille" else (1, 1)
        right, top = self.width * across - 1, self.rows * up - 1
        xs, ys = zip(*points, strict=True)
        if marker != " ":
            self.taken[np.array(xs) // across, np.array(ys) // up] = True
        plt.scatter([x / right for x in xs], [y / top for y in ys], marker=marker, color=color)


def _joined(points: Points) -> Iterator[tuple[int, int]]:
    """With what lies between neighbours: a line of points without holes."""
    yield points[0]
    for (x, y), (to_x, to_y) in pairwise(points):
        count = max(abs(to_x - x), abs(to_y - y))
        for i in range(1, count + 1):
            yield x + round(i * (to_x - x) / count), y + round(i * (to_y - y) / count)


def _apart(points: Points, others: Points) -> Points:
    """Those that stand at least three cells from the last one kept, and not beside ``others``."""
    kept: Points = []
    beside = {cell + near for cell, _ in others for near in (-1, 0, 1)}
    for cell, row in points:
        if cell not in beside and (not kept or cell - kept[-1][0] >= 3):
            kept.append((cell, row))
    return kept
