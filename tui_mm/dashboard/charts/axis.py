"""Axes of the loss chart: round ticks with their names, windows and ranges that seldom change. Pure functions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tui_mm.runs.series import Axis

Range = tuple[float, float]
_LEAST = 1e-8  # what a loss of 0 counts as on a log axis
_ROUND: tuple[tuple[float, ...], ...] = (  # numbers of a decade, ever fewer
    (1, 1.2, 1.5, 1.8, 2, 2.2, 2.5, 3, 3.5, 4, 5, 6, 8),
    (1, 1.5, 2, 3, 5, 7),
    (1, 2, 5),
    (1, 3),
    (1,),
)
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000, 86400)
_OUTLIERS = 0.02  # the share of columns that may lie outside


def scaled(losses: NDArray[np.float64], *, log: bool) -> NDArray[np.float64]:
    """As they stand on the axis: log10 of what is above 0, or as they are. NaN stays."""
    return np.log10(np.maximum(losses, _LEAST)) if log else losses


def follow_end(axis: Axis, done: float, total: float | None, cells: int) -> float:
    """The end of the x axis while a run goes on: doubled when reached, so that what was drawn stays where it is; at
    most ``total``, if that is known."""
    end = 2.0 * cells if axis == "steps" else 1.0  # two columns a cell, a step each
    while end > 2 * done > 0 and axis != "steps":
        end /= 2
    while end < done:
        end *= 2
    return end if total is None or total < done else min(end, total)


def loss_range(low: NDArray[np.float64], high: NDArray[np.float64], must: NDArray[np.float64]) -> Range:
    """The y axis for columns from ``low`` to ``high`` with ``must`` inside, all as they stand on the axis.

    Extremes are inside too, unless they would flatten the rest.
    """
    low, high, must = (a[np.isfinite(a)] for a in (low, high, must))
    every = np.concatenate((low, high, must))
    if not len(every):
        return 0.0, 1.0
    core = np.concatenate((np.quantile(low, [_OUTLIERS]), np.quantile(high, [1 - _OUTLIERS])) if len(low) else (must,))
    bottom, top = float(min([*core, *must])), float(max([*core, *must]))
    reach = 0.5 * (top - bottom)
    if every.max() <= top + reach:
        top = float(every.max())
    if every.min() >= bottom - reach:
        bottom = float(every.min())
    step = _nice(max(top - bottom, 1e-3 * max(1.0, abs(top)), 1e-9) / 10)
    bottom, top = math.floor(bottom / step + 1e-9) * step, math.ceil(top / step - 1e-9) * step
    return (bottom, top) if bottom < top else (bottom - step, top + step)


def settled(before: Range | None, wanted: Range) -> Range:
    """``before`` while it does: it holds what is wanted, and not much more."""
    if before is None:
        return wanted
    holds = before[0] <= wanted[0] and wanted[1] <= before[1]
    return before if holds and wanted[1] - wanted[0] > 0.7 * (before[1] - before[0]) else wanted


def round_ticks(low: int, high: int, most: int) -> list[int]:
    """Whole multiples of 1, 2 or 5 times a power of ten within low..high, at most ``most``."""
    size = 1
    while (high - low) / size > most:
        size *= 10
    for step in (size // 10 * 2, size // 10 * 5):
        if step and (high - low) / step <= most:
            size = step
            break
    return list(range(-(-low // size) * size, high + 1, size))


def x_ticks(axis: Axis, window: Range, most: int) -> list[tuple[float, str]]:
    """Places on the x axis and what stands there."""
    low, high = window
    if axis == "steps":
        ticks = round_ticks(math.ceil(low), math.floor(high), most)
        big = next((size for size in (1_000_000, 1000) if all(t % size == 0 for t in ticks) and high >= 10 * size), 1)
        return [(t, f"{t // big:,}{ {1: '', 1000: 'k', 1_000_000: 'M'}[big] if t else '' }") for t in ticks]
    if axis == "seconds" and high - low >= most:
        size = next((s for s in _SECONDS if (high - low) / s <= most), _SECONDS[-1] * math.ceil((high - low) / 86400))
        return [(t, clock(t)) for t in range(math.ceil(low / size) * size, math.floor(high) + 1, size)]
    step = _nice((high - low) / most)
    places = [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return [(x, f"{x:.6g}{'s' if axis == 'seconds' else ''}") for x in places]


def loss_ticks(window: Range, most: int, *, log: bool, width: int = 5) -> list[tuple[float, str]]:
    """Places on the y axis, as they stand there, and the losses they are in ``width`` characters."""
    low, high = window
    if not log:
        step = _nice((high - low) / most)
        places = [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        return [(y, short(y, width)) for y in places]
    decades = range(math.floor(low), math.ceil(high) + 1)
    powers = [d for d in decades if low <= d <= high]
    if len(powers) > most:
        return [(d, short(10.0**d, width)) for d in powers[:: -(-len(powers) // most)]]
    for numbers in (*_ROUND, (1, 2, 5)):
        inside = [n * 10.0**d for d in decades for n in numbers if low <= math.log10(n * 10.0**d) <= high]
        if 2 <= len(inside) <= most:
            return [(math.log10(t), short(t, width)) for t in inside]
    if len(inside) > 2:  # too many for the height
        return [(math.log10(t), short(t, width)) for t in inside[:: -(-len(inside) // most)]]
    for parts in range(most, most + 4):  # within so little, the axis is as good as linear; fifths give two ticks
        step = _nice((10.0**high - 10.0**low) / parts)
        numbered = range(max(1, math.ceil(10.0**low / step)), math.floor(10.0**high / step) + 1)
        if len(numbered) > 1:
            break
    return [(math.log10(n * step), short(n * step, width)) for n in numbered]


def short(value: float, width: int) -> str:
    """A number in at most ``width`` characters; "" rather than one that is more than a little off."""
    for digits in range(4, 0, -1):
        text = f"{value:.{digits}g}"
        text = text if len(text) <= width else text.replace("0.", ".", 1)
        if len(text) <= width and abs(float(text) - value) <= 0.002 * abs(value):
            return text
    return ""


def clock(seconds: float) -> str:
    """m:ss, or h:mm:ss from an hour on."""
    whole = math.floor(seconds)
    hours = f"{whole // 3600}:{whole // 60 % 60:02}" if whole >= 3600 else f"{whole // 60}"
    return f"{hours}:{whole % 60:02}"


def _nice(size: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below ``size``."""
    power = 10.0 ** math.floor(math.log10(size))
    return next((n * power for n in (1, 2, 5) if n * power >= size * (1 - 1e-9)), 10 * power)
