"""The learning-rate sweep chart of lecture part 2: loss against the exponent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.dashboard.charts.decimate import decimate
from tui_mm.dashboard.charts.figure import build, legend
from tui_mm.dashboard.charts.look import Look

_TICK = 5  # cells of a y label: fixed, so that a column is an exponent whatever the losses are
_BROAD = 60  # from this width on, rates are named with their exponents
_FRAME = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|||+++")


@dataclass(frozen=True)
class Axis:
    """Which exponent stands in which column of the chart's area, which begins at column ``left``."""

    low: float
    high: float
    left: int
    columns: int

    def column(self, exponent: float) -> int:
        return round((self.columns - 1) * (exponent - self.low) / (self.high - self.low))

    def exponent(self, column: int) -> float:
        return self.low + (self.high - self.low) * column / (self.columns - 1)


def sweep_axis(planned: NDArray[Any], width: int) -> Axis:
    """The x axis of a chart so wide, of a sweep over the exponents ``planned`` (ascending)."""
    low = float(planned[0])
    high = max(float(planned[-1]), low + 1e-6)
    return Axis(low, high, _TICK + 1, max(2, width - _TICK - 1))


def sweep_chart(
    exponents: NDArray[Any],
    losses: NDArray[Any],
    smoothed: NDArray[Any],
    suggestions: Sequence[tuple[str, float | None]] = (),
    *,
    look: Look = Look(),  # noqa: B008, it is frozen
    planned: NDArray[Any] | None = None,
    cursor: float | None = None,
    now: float | None = None,
) -> str:
    """The raw losses, the smoothed curve, and a mark with a letter at each suggestion (name, rate).

    ``planned``: all the exponents of a sweep that is under way, which the axis spans from the start; ``cursor``: the
    exponent of the vertical line; ``now``: the configured rate.
    """
    finite = np.isfinite(losses) & np.isfinite(smoothed)
    if not finite.any():
        return "no finite losses to draw"
    planned = exponents if planned is None else planned
    axis = sweep_axis(planned, look.width)
    x, y, curve = exponents[finite], losses[finite], smoothed[finite]
    low, top, step = _y_limits(y, curve, max(2, look.height // 4))
    # Filled up to what is planned, columns keep their points while more come in.
    missing = np.full(max(0, len(planned) - len(y)), np.nan)
    raw = decimate(np.append(y, missing), axis.columns)
    mean = decimate(np.append(curve, missing), axis.columns)
    drawn = np.isfinite(mean.mean)
    begin, line = np.append(x, planned[len(y) :])[raw.start][drawn], np.minimum(mean.mean[drawn], top)
    band = np.minimum(np.concatenate((raw.low[drawn], raw.high[drawn])), top)

    def draw(plt: Any) -> None:
        plt.xaxes(True, False)
        plt.yaxes(True, False)
        plt.scatter(np.append(begin, begin).tolist(), band.tolist(), marker=raw_mark, color=look.color("baseline"))
        plt.plot(begin.tolist(), line.tolist(), marker=line_mark, color=look.color("train"))
        if cursor is not None:
            plt.plot([cursor, cursor], [low, top], marker=cursor_mark, color=look.color("cursor"))
        if now and axis.low <= math.log10(now) <= axis.high:
            plt.scatter([math.log10(now)], [low], marker="N", color=look.color("best"))
        taken = set[int]()
        for name, rate in suggestions:
            if rate is not None:
                exponent = math.log10(rate)
                at = axis.column(exponent)
                at = next((near for near in (at, at + 1, at - 1, at + 2) if near not in taken), at)
                taken.add(at)
                level = min(top, float(np.interp(exponent, x, curve)))
                plt.scatter([axis.exponent(at)], [level], marker=name[0].upper(), color=look.color("mark"))
        put_axes(plt, axis, low, top, step)

    raw_mark, line_mark, cursor_mark = (".", "*", "|") if look.ascii_only else ("·", "braille", "│")
    broad = look.width >= _BROAD
    parts = [  # (how soon it is left out where there is no room, what it says)
        (4, "loss over the exponent e, lr = 10**e"),
        (3, f"{raw_mark} one batch  {'*' if look.ascii_only else '⠤'} smoothed"),
    ]
    if not math.isfinite(losses[-1]):
        parts += [(0, f"stopped at 10**{round(float(exponents[-1]), 2):g}: the loss is not finite")]
    elif len(exponents) < len(planned):
        parts += [(0, f"{len(exponents):,} of {len(planned):,} rates")]
    if cursor is not None:
        parts += [(0, f"{cursor_mark} {_rate(10**cursor, True)}, smoothed {np.interp(cursor, x, curve):.3f}")]
    parts += [(1, f"{name[0].upper()} {name} {_rate(rate, broad)}") for name, rate in suggestions if rate]
    parts += [(2, f"N now {_rate(now, broad)}")] if now else []
    text = build(draw, fitting(parts, look), width=look.width, height=look.height, color=look.colors is not None)
    return text.translate(_FRAME) if look.ascii_only else text


def put_axes(plt: Any, axis: Axis, low: float, top: float, step: float) -> None:
    """Limits and round ticks: exponents below, losses at the left, every ``step``."""
    plt.xlim(axis.low, axis.high)
    marks = multiples(axis.low, axis.high, round_step((axis.high - axis.low) / max(1, axis.columns // 8)))
    plt.xticks(marks, [f"{mark:g}" for mark in marks])
    plt.ylim(low, top)
    marks = multiples(low, top, step)
    plt.yticks(marks, [tick(mark) for mark in marks])


def shown_rate(rate: float) -> float:
    """A rate as the chart names it: three figures."""
    return float(f"{rate:.3g}")


def rate_text(rate: float, width: int) -> str:
    """A rate as a chart so wide names it: with its exponent where there is room."""
    return _rate(rate, width >= _BROAD)


def _rate(rate: float, with_exponent: bool) -> str:
    return f"10**{math.log10(rate):.2f} = {rate:.3g}" if with_exponent else f"{rate:.3g}"


def tick(loss: float) -> str:
    """A loss as the y axis has it: in as many cells as every other."""
    text = f"{loss:.4g}"
    return (text if len(text) <= _TICK else f"{loss:.0e}").rjust(_TICK)


def fitting(parts: list[tuple[int, str]], look: Look) -> list[str]:
    """As many of the parts as a third of the chart's height has room for."""
    kept = list(parts)
    while len(kept) > 1 and legend([text for _, text in kept], look.width).count("\n") >= max(1, look.height // 3):
        kept.remove(max(kept, key=lambda part: part[0]))
    return [text for _, text in kept]


def _y_limits(losses: NDArray[Any], curve: NDArray[Any], ticks: int) -> tuple[float, float, float]:
    """Least and greatest loss shown, round so that they seldom change while points come in, and the step of about so
    many ticks."""
    # Beyond four times the least loss (where finders stop) the blow-up would flatten all that is worth seeing.
    start = float(curve[: max(1, len(curve) // 10)].max())
    top = min(float(max(curve.max(), np.quantile(losses, 0.98))), max(4 * float(curve.min()), 1.2 * start))
    low = min(float(losses.min()), top)
    spread = max(top - low, 1e-3 * max(1.0, abs(top)))
    grain = round_step(spread / 16)
    return math.floor(low / grain) * grain, (math.floor(top / grain) + 1) * grain, round_step(spread / ticks)


def round_step(least: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= least * (1 - 1e-9))


def multiples(low: float, high: float, step: float) -> list[float]:
    """Of ``step``, within ``low`` and ``high``."""
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{n * step:.10g}") for n in range(first, last + 1)]
