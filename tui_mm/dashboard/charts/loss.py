"""The loss chart: train as a band with its mean, dev at each evaluation, baselines, and other runs over it.

A model that learns by counting has no curve: it stands as a level, which the others are compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tui_mm.dashboard.charts.axis import Range, loss_range, scaled
from tui_mm.dashboard.charts.figure import LEAST_HEIGHT, Part, legend_lines, plot
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.loss_canvas import MARGIN, Canvas, Signs, color_of, letter_of
from tui_mm.runs.series import Axis, Columns, LossSeries
from tui_mm.text import nats

_AXIS = {"steps": "step", "epochs": "epoch", "seconds": "time"}
Parts = Literal["train", "dev", "both"]
"""What is drawn of other runs. The letters stand on train alone, or on dev, and then train has small ones."""
_LETTERS_MEAN = {"dev": "dev", "both": "capitals: dev, small letters: train mean"}


@dataclass(frozen=True, eq=False)
class Curve:
    """One run's losses in a window: two columns to each of ``cells(look)`` character cells."""

    label: str
    columns: Columns
    dev: Sequence[tuple[float, float]] = ()  # (x, loss)
    best: tuple[float, float] | None = None  # one of these
    first_bad: tuple[int, float] | None = None  # the step whose loss was not finite, and that loss
    level: tuple[str, float] | None = None  # all that is drawn of a model that counted: which loss ("dev"), and that


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
    parts: Parts = "train"  # what is drawn of the others


def cells(look: Look) -> int:
    """How many character cells the x axis of a loss chart has."""
    return max(2, look.width - MARGIN - 1)


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
    run: Curve | None,
    others: Sequence[Curve],
    baselines: Sequence[tuple[str, float]],
    *,
    log: bool,
    whole: bool,
    parts: Parts = "both",
) -> Range:
    """The y axis that shows these well; baselines need not be on it where only a part of the run is."""
    every = [*([run] if run else []), *others]
    curves = [c for c in every if c.level is None]
    drawn = [c for c in curves if c is run or parts != "dev"]
    levels = [c.level[1] for c in every if c.level is not None]
    low = [c.columns.low if c is run else c.columns.mean for c in drawn]
    high = [c.columns.high if c is run else c.columns.mean for c in drawn]
    dev = np.array([loss for c in curves for _, loss in c.dev], np.float64)
    must = np.array([*(loss for _, loss in baselines), *levels] if whole else [], np.float64)
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
    canvas = Canvas(picture, look, cells(look), height - 2)
    width = max(look.width, MARGIN + 3)
    text = plot(canvas.draw, width, height, color=look.colors is not None, ascii_only=look.ascii_only)
    lines = text.split("\n")
    if lines[-1].startswith(" " * (MARGIN + 1)):  # the axis is named where its first tick leaves room
        lines[-1] = f"{_AXIS[picture.axis]:>{MARGIN}}{lines[-1][MARGIN:]}"
    return "\n".join([*lines, *below])


def _parts(picture: LossPicture, look: Look) -> list[Part]:
    signs = Signs.of(look)
    run = picture.run
    parts = list[Part]()
    if run is not None and run.level is not None:
        counted = f"{_named_level(run, picture)}, counted in one step"
        parts.append((signs.counted, counted, look.color("train")))
    elif run is not None:
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
        if other.level is not None:
            ends = f", {_named_level(other, picture)}"
        parts.append((letter_of(n), f"{other.label}{ends}", color_of(look, n)))
    for name, loss in picture.baselines:
        parts.append((signs.level, f"{name} {loss:.3f}{_beyond(loss, picture)}", look.color("baseline")))
    if picture.others and picture.parts in _LETTERS_MEAN:
        parts.append(_LETTERS_MEAN[picture.parts])
    parts.append(f"{'log' if picture.log else 'linear'} scale over {picture.axis}")
    return parts


def _named_level(curve: Curve, picture: LossPicture) -> str:
    """Which loss it is, and that: of a curve that is a level."""
    assert curve.level is not None
    name, loss = curve.level
    return f"{name} {loss:.3f}{_beyond(loss, picture)}"


def _beyond(loss: float, picture: LossPicture) -> str:
    """Where a loss lies that is not on the axis."""
    low, high = picture.losses
    at = float(scaled(np.array([loss]), log=picture.log)[0])
    return " (above)" if at > high else " (below)" if at < low else ""


def _edges_passed(run: Curve, picture: LossPicture) -> str:
    """``^``, ``v``, both or neither: where something of the run in the window lies off the loss axis."""
    low, high = picture.losses
    begin, end = picture.window
    dev = np.array([loss for x, loss in run.dev if begin <= x <= end], np.float64)
    shown = scaled(np.concatenate((dev, run.columns.low, run.columns.high)), log=picture.log)
    finite = shown[np.isfinite(shown)]
    return " ".join(sign for sign, any_of in (("^", finite > high), ("v", finite < low)) if any_of.any())
