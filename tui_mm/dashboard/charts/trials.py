"""The chart of rates that were trained at: the final loss with its spread over seeds, against the exponent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tui_mm.dashboard.charts.figure import build
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.sweep import Axis, fitting, put_axes, rate_text, round_step, sweep_axis
from tui_mm.training.trials import Trials

_TOP = 1.6  # times the least loss: beyond, a rate is of no use, and would flatten the others


def trials_chart(
    trials: Trials,
    *,
    look: Look = Look(),  # noqa: B008, it is frozen
    measured: str = "dev",
    under_way: str = "",
    cursor: float | None = None,
    now: float | None = None,
) -> str:
    """Medians joined by a line, least and greatest as a bar, and a mark at the top where seeds diverged.

    ``measured``: the split of the losses; ``under_way``: how far the training is, ``300 of 1,000 steps``; the best is
    marked when that is empty; ``cursor``: the exponent of the vertical line; ``now``: the configured rate.
    """
    median, low, high, diverged = trials.median, trials.low, trials.high, trials.diverged
    drawn = np.isfinite(median)
    if not drawn.any():
        return f"no finite losses to draw{': ' + under_way if under_way else ''}"
    axis = sweep_axis(trials.exponents, look.width)
    bottom, top, step = _limits(low, high, median, max(2, look.height // 4))
    line_mark, bar_mark = ("*", ":") if look.ascii_only else ("braille", "│")
    median_mark, cursor_mark = ("o", "|") if look.ascii_only else ("●", "┃")
    above = drawn & (median > top)

    def draw(plt: Any) -> None:
        plt.xaxes(True, False)
        plt.yaxes(True, False)
        for k in np.flatnonzero(drawn & (low < top)):
            x, ends = float(trials.exponents[k]), (float(low[k]), min(float(high[k]), top))
            plt.plot([x, x], list(ends), marker=bar_mark, color=look.color("baseline"))
        for first, end in _runs(drawn & ~above):
            xs, ys = trials.exponents[first:end].tolist(), median[first:end].tolist()
            plt.plot(xs, ys, marker=line_mark, color=look.color("train"))
            plt.scatter(xs, ys, marker=median_mark, color=look.color("train"))
        if cursor is not None:
            plt.plot([cursor, cursor], [bottom, top], marker=cursor_mark, color=look.color("cursor"))
        for places, mark, color in ((above, "^", "baseline"), (diverged > 0, "x", "warning")):
            if places.any():
                xs = trials.exponents[places].tolist()
                plt.scatter(xs, [top] * len(xs), marker=mark, color=look.color(color))
        if now and axis.low <= math.log10(now) <= axis.high:
            plt.scatter([math.log10(now)], [bottom], marker="N", color=look.color("best"))
        if best is not None:
            plt.scatter([float(trials.exponents[best])], [float(median[best])], marker="B", color=look.color("mark"))
        put_axes(plt, axis, bottom, top, step)

    best = None if under_way else trials.best
    parts = [  # (how soon it is left out where there is no room, what it says)
        (4, f"{measured} loss over the exponent e, lr = 10**e"),
        (3, f"{median_mark} median of {trials.seeds} seeds  {bar_mark} spread"),
    ]
    if under_way:
        parts += [(0, under_way)]
    if cursor is not None:
        parts += [(0, f"{cursor_mark} {_at(trials, cursor)}")]
    if best is not None:
        parts += [(1, f"B best {rate_text(10 ** float(trials.exponents[best]), look.width)}")]
    if diverged.any():
        parts += [(1, "x diverged")]
    if above.any():
        parts += [(3, "^ above the chart")]
    parts += [(2, f"N now {rate_text(now, look.width)}")] if now else []
    return build(draw, fitting(parts, look), look)


def trials_axis(trials: Trials, width: int) -> Axis:
    """The x axis of a chart so wide."""
    return sweep_axis(trials.exponents, width)


def _at(trials: Trials, exponent: float) -> str:
    """What was found at the rate that is nearest to an exponent."""
    k = int(np.abs(trials.exponents - exponent).argmin())
    said = f"10**{trials.exponents[k]:.2f} = {10 ** trials.exponents[k]:.3g}"
    if np.isfinite(trials.median[k]):
        said += f", {trials.median[k]:.3f} ({trials.low[k]:.3f} to {trials.high[k]:.3f})"
    return said + (f", {trials.diverged[k]} of {trials.seeds} diverged" if trials.diverged[k] else "")


def _runs(marks: Any) -> list[tuple[int, int]]:
    """First and end of every run of neighbours that are marked."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], marks.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _limits(low: Any, high: Any, median: Any, ticks: int) -> tuple[float, float, float]:
    """Least and greatest loss shown, round, and the step of about so many ticks."""
    least = float(np.nanmin(low))
    most = max(float(np.nanmax(ends[ends <= _TOP * least], initial=least)) for ends in (low, high, median))
    most = max(most, float(np.nanmin(median)))
    spread = max(most - least, 1e-3 * max(1.0, abs(most)))
    grain = round_step(spread / 16)
    return math.floor(least / grain) * grain, (math.floor(most / grain) + 1) * grain, round_step(spread / ticks)
