"""The learning-rate sweep chart of lecture part 2: loss against the exponent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.dashboard.charts.decimate import decimate
from tui_mm.dashboard.charts.figure import build


def sweep_chart(
    exponents: NDArray[Any],
    losses: NDArray[Any],
    smoothed: NDArray[Any],
    suggestions: Sequence[tuple[str, float | None]] = (),
    *,
    width: int = 80,
    height: int = 22,
    color: bool = True,
    ascii_only: bool = False,
) -> str:
    """The band of raw losses, the smoothed curve, and a mark with a letter at each suggestion (name, rate)."""
    finite = np.isfinite(losses)
    if not finite.any():
        return "no finite losses to draw"
    x, y, curve = exponents[finite], losses[finite], smoothed[finite]
    # Beyond four times the least loss (where finders stop) the blow-up would flatten all that is worth seeing.
    start = float(np.nanmax(curve[: max(1, len(curve) // 10)]))
    top = min(float(max(np.nanmax(curve), np.quantile(y, 0.98))), max(4 * float(np.nanmin(curve)), 1.2 * start))
    low = float(y.min())
    columns = decimate(y, 2 * max(10, width - 12))
    at = [*x[columns.start].tolist(), *x[columns.start].tolist()]
    raw = np.minimum(np.concatenate((columns.low, columns.high)), top)

    def draw(plt: Any) -> None:
        plt.scatter(at, raw.tolist(), marker="." if ascii_only else "braille", color="gray")
        plt.plot(x.tolist(), np.minimum(curve, top).tolist(), marker="*" if ascii_only else "braille", color="blue+")
        for name, rate in suggestions:
            if rate is None:
                continue
            exponent = math.log10(rate)
            level = min(top, float(np.interp(exponent, x, curve)))
            plt.scatter([exponent], [level], marker=name[0].upper(), color="orange+")
        plt.xlim(float(x[0]), float(x[-1]))
        plt.ylim(max(0.0, low - 0.02 * (top - low) - 1e-3), top + 1e-3)

    title = "loss over the exponent e, lr = 10**e"
    marks = [f"{name[0].upper()} {name} 10**{math.log10(rate):.2f} = {rate:.3g}" for name, rate in suggestions if rate]
    return build(draw, [title, *marks], width=width, height=height, color=color)
